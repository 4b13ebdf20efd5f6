"""The store: one folder per run under the hash of its settings. Plain files; never imports torch."""

from dip_experiments.store.baselines import Baselines
from dip_experiments.store.files import (
    Array,
    Columns,
    atomic,
    file_digest,
    read_columns,
    read_json,
    value_digest,
    write_arrays,
    write_columns,
    write_image,
    write_json,
    write_text,
)
from dip_experiments.store.lock import BeingFitted, locked
from dip_experiments.store.provenance import signature, sitting, version
from dip_experiments.store.run import Run, average_at, output_at, stop_image
from dip_experiments.store.store import Store
from dip_experiments.store.upgrade import upgrade

__all__ = [
    "Array",
    "Baselines",
    "BeingFitted",
    "Columns",
    "Run",
    "Store",
    "atomic",
    "average_at",
    "file_digest",
    "locked",
    "output_at",
    "read_columns",
    "read_json",
    "signature",
    "sitting",
    "stop_image",
    "upgrade",
    "value_digest",
    "version",
    "write_arrays",
    "write_columns",
    "write_image",
    "write_json",
    "write_text",
]

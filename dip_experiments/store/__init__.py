"""The store: one folder per run under the hash of its settings. Plain files; never imports torch."""

from dip_experiments.store.baselines import Baselines
from dip_experiments.store.curves import Columns, read_curves, write_curves
from dip_experiments.store.files import (
    Array,
    atomic,
    file_digest,
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
    "read_curves",
    "read_json",
    "signature",
    "sitting",
    "stop_image",
    "upgrade",
    "value_digest",
    "version",
    "write_arrays",
    "write_columns",
    "write_curves",
    "write_image",
    "write_json",
    "write_text",
]

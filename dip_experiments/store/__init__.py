"""The store: one folder per run under the hash of its settings. Plain files; never imports torch."""

from dip_experiments.store.files import (
    Columns,
    atomic,
    check_writable,
    file_digest,
    read_columns,
    write_columns,
    write_image,
    write_json,
    write_text,
)
from dip_experiments.store.provenance import provenance, signature
from dip_experiments.store.run import BeingFitted, Run, Store

__all__ = [
    "BeingFitted",
    "Columns",
    "Run",
    "Store",
    "atomic",
    "check_writable",
    "file_digest",
    "provenance",
    "read_columns",
    "signature",
    "write_columns",
    "write_image",
    "write_json",
    "write_text",
]

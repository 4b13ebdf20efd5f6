"""The store: one folder per run, named by the hash of its configuration. Plain files; never imports torch."""

from dip_experiments.store.baselines import Baselines
from dip_experiments.store.cleanup import RunFolder, find_incomplete
from dip_experiments.store.curves import COUNTED, Columns, read_curves, write_curves
from dip_experiments.store.files import (
    Array,
    atomic,
    file_digest,
    read_json,
    value_digest,
    write_arrays,
    write_image,
    write_json,
    write_text,
)
from dip_experiments.store.lock import RunLocked, locked, read_owner, write_owner
from dip_experiments.store.merge import REFUSED, Merged, merge
from dip_experiments.store.migrations import upgrade
from dip_experiments.store.provenance import describe_session, doubtful_code, signature, version
from dip_experiments.store.run import FACT_ORIGIN, OBSERVED, TILE, Run, average_at, output_at, stop_image
from dip_experiments.store.run_entries import pack, unpack
from dip_experiments.store.selection import REPRODUCED, Job, Selection, drawings_folder, waiting
from dip_experiments.store.status import State, states
from dip_experiments.store.store import Origin, Store
from dip_experiments.store.thumbnail import PARTS, THUMBNAIL, make_thumbnail, thumbnail_images

__all__ = [
    "COUNTED",
    "FACT_ORIGIN",
    "OBSERVED",
    "PARTS",
    "REFUSED",
    "REPRODUCED",
    "THUMBNAIL",
    "TILE",
    "Array",
    "Baselines",
    "Columns",
    "Job",
    "Merged",
    "Origin",
    "Run",
    "RunFolder",
    "RunLocked",
    "Selection",
    "State",
    "Store",
    "atomic",
    "average_at",
    "describe_session",
    "doubtful_code",
    "drawings_folder",
    "file_digest",
    "find_incomplete",
    "locked",
    "make_thumbnail",
    "merge",
    "output_at",
    "pack",
    "read_curves",
    "read_json",
    "read_owner",
    "signature",
    "states",
    "stop_image",
    "thumbnail_images",
    "unpack",
    "upgrade",
    "value_digest",
    "version",
    "waiting",
    "write_arrays",
    "write_curves",
    "write_image",
    "write_json",
    "write_owner",
    "write_text",
]

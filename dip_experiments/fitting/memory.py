"""Memory of a fit stays with the fit: every iteration needs the same maps again."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Names of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let glibc hold on to freed memory; elsewhere nothing is done.

    By itself it returns large maps to the system, which then clears every page of them anew in each iteration: half
    the time of the paper's network at 256 x 256 (`make bench`). Numbers do not change.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)

"""Devices and threads: find a device, its name, precision and memory; the number of threads of a fit."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
"""Environment variables by which a user, or a launcher that runs several jobs, sets the number of threads."""
SECONDS, MEASUREMENTS = 0.2, 3
"""Duration of a measurement; the largest of so many counts, as another process may just be ending (ours)."""
ALL = 0.9
"""Fraction of the cores that counts as all: on an idle machine, too, the system takes some moments (ours)."""
VALUES = 2**16
"""Array elements per thread, so that none waits for long."""
log = logging.getLogger(__name__)


def find_device(name: str) -> torch.device:
    """Return a device by name, auto: a GPU if the machine has one. Raise ValueError for a GPU that it has not."""
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name}: this PyTorch sees {torch.cuda.device_count()} CUDA devices; use device=cpu or auto"
        )
    return device


def check_precision(precision: str, device: torch.device) -> None:
    """Raise ValueError for products that the device has no hardware for: in software they cost more than float32."""
    if precision == "tf32" and device.type != "cuda":
        raise ValueError("precision=tf32: only NVIDIA GPUs multiply in TF32; use precision=float32 or device=cuda")
    if precision == "bf16" and not multiplies_bfloat16(device):
        raise ValueError(
            "precision=bf16: this processor has no bfloat16 products in hardware, it would be slower than float32; "
            "use precision=float32"
        )


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return True if the hardware has bfloat16 products; False where PyTorch is too old to know."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def device_name(device: torch.device) -> str:
    """Return the name of a device in records."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def available_memory(device: torch.device) -> int:
    """Return the free memory of a device in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def threads_for_fit(device: torch.device) -> int:
    """Return the number of threads of a fit that starts now: PyTorch's own, fewer where other processes are at work.

    It is this process's fair share, whatever the others are: fits, of this folder or another, or none.
    """
    most = torch.get_num_threads()
    if most == 1 or device.type != "cpu" or any(name in os.environ for name in THREAD_VARIABLES):
        return most
    found = 0.0
    for _ in range(MEASUREMENTS):
        found = max(found, available_cores(most))
        if found >= ALL * most:
            return most
    threads = max(1, round(found))
    log.info("takes %d of %d threads: other processes are at work (OMP_NUM_THREADS=%d: all)", threads, most, most)
    return threads


@contextmanager
def fit_threads(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Let PyTorch work with as many threads as are free, or with so many, and with its own number afterwards."""
    usual = torch.get_num_threads()
    torch.set_num_threads(threads or threads_for_fit(device))
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def available_cores(threads: int) -> float:
    """Measure how many cores the system gives to this process while it asks for one per thread."""
    work = torch.ones(VALUES * threads)
    cpu, began = time.process_time(), time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        torch.sin(work, out=work)
    return (time.process_time() - cpu) / passed

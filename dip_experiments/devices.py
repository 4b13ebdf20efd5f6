"""Devices: which there are, what they are called, what they multiply in hardware."""

import re
from pathlib import Path
from typing import Any

import torch


def find_device(name: str) -> torch.device:
    """auto: a GPU if there is one. Raises ValueError for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name}: this PyTorch sees {torch.cuda.device_count()} CUDA devices; use device=cpu or auto"
        )
    return device


def check_precision(precision: str, device: torch.device) -> None:
    """Raises ValueError for products that the device has no hardware for: in software they cost more than float32."""
    if precision == "tf32" and device.type != "cuda":
        raise ValueError("precision=tf32: only NVIDIA GPUs multiply in TF32; use precision=float32 or device=cuda")
    if precision == "bf16" and not multiplies_bfloat16(device):
        raise ValueError(
            "precision=bf16: this processor has no bfloat16 products in hardware, it would be slower than float32; "
            "use precision=float32"
        )


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has bfloat16 products; a PyTorch too old to say counts as no."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def device_name(device: torch.device) -> str:
    """What a record calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def available_memory(device: torch.device) -> int | None:
    """Bytes that a fit may still take on the device; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else None

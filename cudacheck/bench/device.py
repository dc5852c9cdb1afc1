"""What the engine must know of the device it runs on: its name across tools, its cache, its free memory."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

L2_WHERE_UNTOLD = 64 << 20
"""PyTorch before 2.2 does not tell; larger than most, so that rotation still empties the cache."""


def uuid(index: int) -> str | None:
    """Of a GPU, as NVML writes it; None where it does not answer, and before PyTorch 2.4."""
    try:
        properties = torch.cuda.get_device_properties(index)
    except RuntimeError:
        return None
    number = getattr(properties, "uuid", None)
    kind = "MIG" if " MIG " in properties.name else "GPU"
    return None if number is None else f"{kind}-{number}"


def l2_bytes(device: torch.device) -> int:
    """Size of the L2 cache; 0 on the CPU, where nothing is rotated."""
    if device.type != "cuda":
        return 0
    return getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or L2_WHERE_UNTOLD


def free_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return 1 << 30
    return int(torch.cuda.mem_get_info(device)[0])


def current(device: torch.device) -> Any:
    """Make it the current device: events and spins go to that one. On the CPU there is nothing to choose."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()

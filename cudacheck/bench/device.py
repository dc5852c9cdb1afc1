"""The device that is measured: its name across tools, made the current one, waited for."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def uuid(index: int) -> str | None:
    """Of a GPU, as NVML writes it; None where it does not answer, and before PyTorch 2.4."""
    try:
        properties = torch.cuda.get_device_properties(index)
    except RuntimeError:
        return None
    number = getattr(properties, "uuid", None)
    kind = "MIG" if " MIG " in properties.name else "GPU"
    return None if number is None else f"{kind}-{number}"


def current(device: torch.device) -> Any:
    """Make it the current device: events and spins go to that one. On the CPU there is nothing to choose."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def why_broken(device: torch.device) -> str:
    """What the device says when waited for: after an illegal access it says the same to every later call."""
    try:
        wait_for(device)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return ""

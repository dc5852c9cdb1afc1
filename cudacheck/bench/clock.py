"""The GPU's clock as a spinning kernel sees it, without NVML: in containers, on MIG slices and under WSL too.

PyTorch's `torch.cuda._sleep(n)` spins until the multiprocessor's own counter has moved by n cycles; the same
spin keeps the GPU busy while the host queues what is to be timed.
"""

from __future__ import annotations

from typing import Any, Tuple

import torch

FASTEST_HZ = 2.0e9
"""No multiprocessor clocks much above this, so a spin of so many cycles lasts at least its time."""

Spin = Tuple[Any, Any, int]
"""The events before and after a spin, and its cycles."""


def spin(seconds: float) -> Spin | None:
    """Queue a spin of at least that long; None where this PyTorch cannot."""
    sleep = getattr(torch.cuda, "_sleep", None)
    if sleep is None:
        return None
    start, end = timed_events()
    cycles = int(seconds * FASTEST_HZ)
    start.record()
    sleep(cycles)
    end.record()
    return start, end, cycles


def timed_events() -> tuple[Any, Any]:
    return torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def mhz(spun: Spin | None) -> float | None:
    """The clock during a spin that is over; launching takes microseconds, so it reads one to three percent low."""
    if spun is None:
        return None
    start, end, cycles = spun
    milliseconds = start.elapsed_time(end)
    return cycles / milliseconds / 1e3 if milliseconds > 0 else None

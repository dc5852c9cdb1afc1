"""A kernel that really runs on every visible GPU, its result compared with the CPU's."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 60.0
AFTER = ("torch_cuda",)


@dataclass(frozen=True)
class KernelRun:
    device_index: int
    kernel: str
    """`float16 matmul`, `convolution`."""
    ok: bool
    """It ran and every element was within tolerance of the float64 result."""
    device_uuid: str | None = None
    max_error: float | None = None
    """Largest relative error seen; None when it did not run."""
    tolerance: float | None = None
    error: str | None = None
    seconds: float | None = None

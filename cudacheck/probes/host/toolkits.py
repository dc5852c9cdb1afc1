"""CUDA toolkits on the machine and the nvcc of each: they matter to what is compiled here, not to PyTorch's wheels."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class CudaToolkit:
    path: str
    version: str | None = None
    """`12.8`, or finer where it is told."""
    nvcc: str | None = None
    """The path of its nvcc; None where it has none (runtime images)."""
    found_via: str = ""
    """`CUDA_HOME`, `PATH`, `directory`, `paste`."""

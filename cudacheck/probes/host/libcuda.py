"""libcuda, the driver's compute library: which file is mapped, what `cuInit` returns, how many devices it sees."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class LibCuda:
    found: bool
    path: str | None = None
    """The file that was mapped, symbolic links resolved."""
    cuda_version: str | None = None
    """cuDriverGetVersion as `12.8`."""
    init_code: int | None = None
    """cuInit's return value (a CUresult): 0 is success."""
    init_error: str | None = None
    """Its name and words: `CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected`."""
    device_count: int | None = None
    load_error: str | None = None
    """The loader's words where the library is missing or does not load."""
    found_in: str = "libcuda.so.1"

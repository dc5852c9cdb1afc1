"""PyTorch read as files, without importing it: true build tag, CUDA version, arch list, pins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class TorchBuild:
    """The PyTorch that `import torch` would take. Yielded only where one is installed."""

    version: str
    """As `torch.__version__` prints it, `2.8.0+cu128`; of torch/version.py, never of the wheel's metadata."""
    cuda: str | None = None
    """`12.8`; None for a CPU or ROCm build, and where a paste does not say (see `cuda_known`)."""
    cuda_known: bool = True
    hip: str | None = None
    arch_list: Tuple[str, ...] | None = None
    """`sm_80`, `compute_90` …; the literal in libtorch_python that torch.cuda.get_arch_list() returns."""
    path: str | None = None
    """The package folder."""
    metadata_version: str | None = None
    cudnn_pin: str | None = None
    """`nvidia-cudnn-cu12==9.10.2.21`, of its Requires-Dist or of conda's record."""
    nccl_pin: str | None = None
    cxx11_abi: bool | None = None
    conda_build: str | None = None
    found_in: str = "torch/version.py"


@dataclass(frozen=True)
class ShadowingModule:
    """Something other than an installed PyTorch that `import torch` would take, or a second PyTorch behind it."""

    path: str
    taken: bool
    """True: this is what `import torch` takes. False: this one is hidden by another."""
    version: str | None = None
    found_via: str = ""
    """`PYTHONPATH`, `user site`, `sys.path`."""

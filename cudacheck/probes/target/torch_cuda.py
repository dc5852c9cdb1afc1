"""What PyTorch itself sees: whether CUDA is available, its devices, and its words where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 30.0
AFTER = ("torch_import",)


@dataclass(frozen=True)
class TorchCuda:
    available: bool
    device_count: int | None = None
    error: str | None = None
    """The exception or warning with which PyTorch explained why not."""
    cudnn_version: str | None = None
    """torch.backends.cudnn.version() written out: `9.10.2`."""
    arch_list: Tuple[str, ...] | None = None
    seconds: float | None = None
    found_in: str = "torch.cuda"


@dataclass(frozen=True)
class TorchDevice:
    index: int
    """As PyTorch numbers them; CUDA_VISIBLE_DEVICES reorders, so match NVML's by `uuid`."""
    name: str
    uuid: str | None = None
    compute_capability: str | None = None
    memory_total_bytes: int | None = None
    multiprocessors: int | None = None
    l2_bytes: int | None = None
    pci_address: str | None = None

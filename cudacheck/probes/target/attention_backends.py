"""Which SDPA backend PyTorch would choose on each GPU, and its own words why the others are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

TIMEOUT_S = 20.0
AFTER = ("torch_cuda",)


@dataclass(frozen=True)
class AttentionBackend:
    device_index: int
    case: str
    """What was asked: `prefill float16 1×12×512×128 causal`, `decode …`."""
    chosen: str | None
    """`flash`, `efficient`, `cudnn`, `math`; None where this PyTorch does not tell."""
    refused: Dict[str, str]
    """Backend → PyTorch's sentence."""
    enabled: Dict[str, bool]
    """Backend → whether torch.backends.cuda has it switched on."""
    device_uuid: str | None = None

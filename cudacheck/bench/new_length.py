"""What the first attention at a sequence length costs over the second."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch

from cudacheck.bench import kinds
from cudacheck.bench.attention import HEADS, WIDTH, Attention
from cudacheck.bench.device import wait_for
from cudacheck.bench.kernels import Tensors
from cudacheck.bench.kinds import CaseKind
from cudacheck.bench.sdpa import without_cudnn


@dataclass(frozen=True)
class NewLength:
    """What the first call at a sequence length costs: cuDNN builds a plan for each length that it meets."""

    lengths: tuple[int, ...]
    """No two cases of one process may share a length, or the second finds the plan built."""
    decode: bool
    backend: str = "default"
    """`default`, or `cudnn off`: PyTorch's choice among the others."""
    dtype: str = "float16"
    convicts: bool = False
    """Measured however little time is left: on a cold machine others take longer, and the verdict is to be the same."""

    @property
    def kind(self) -> CaseKind:
        return kinds.NEW_LENGTH_DECODE if self.decode else kinds.NEW_LENGTH

    @property
    def shape(self) -> str:
        queries, keys = ("1", ", L keys") if self.decode else ("L", " causal")
        return f"1×{HEADS}×{queries}×{WIDTH}{keys}"

    def measure(self, device: torch.device) -> dict[str, Any]:
        """Medians over the lengths, by the host's clock: building a plan is the host's work."""
        firsts, agains = [], []
        with self.settings():
            for number, length in enumerate(self.lengths):
                attention = Attention(self.dtype, 1 if self.decode else length, length)
                tensors = attention.inputs(device, seed=number)
                firsts.append(_call_ms(attention, tensors, device))
                agains.append(_call_ms(attention, tensors, device))
        return {
            "first_call_ms": statistics.median(firsts),
            "median_us": statistics.median(agains) * 1e3,
            "repetitions": len(self.lengths),
            "method": "wall",
        }

    def settings(self) -> Any:
        return without_cudnn() if self.backend == "cudnn off" else contextlib.nullcontext()


def _call_ms(attention: Attention, tensors: Tensors, device: torch.device) -> float:
    wait_for(device)
    started = time.perf_counter()
    attention.call(tensors)
    wait_for(device)
    return (time.perf_counter() - started) * 1e3

"""Attention as a case: PyTorch's choice, each SDPA backend, and flash-attn, at prefill and at decode."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Tuple

import torch

from cudacheck.bench import kinds
from cudacheck.bench.checks import Check, check_attention
from cudacheck.bench.kernels import Tensors, normal
from cudacheck.bench.kinds import CaseKind
from cudacheck.bench.sdpa import BACKENDS, only, sdpa, takes_grouped_queries

Shape = Tuple[int, ...]

HEADS, KV_HEADS, WIDTH = 12, 2, 128
"""Of Qwen2-1.5B: grouped queries, as most models have today."""


@dataclass(frozen=True)
class Attention:
    """One forward of scaled dot-product attention with grouped queries, batch 1."""

    dtype: str
    queries: int
    keys: int
    backend: str = "default"
    """`default` (PyTorch's own choice), one of BACKENDS, or `flash-attn` (the package)."""
    heads: int = HEADS
    kv_heads: int = KV_HEADS
    width: int = WIDTH

    @property
    def causal(self) -> bool:
        return self.queries == self.keys

    @property
    def kind(self) -> CaseKind:
        return kinds.ATTENTION if self.causal else kinds.ATTENTION_DECODE

    @property
    def shape(self) -> str:
        shape = f"1×{self.heads}×{self.queries}×{self.width}"
        return f"{shape} causal" if self.causal else f"{shape}, {self.keys} keys"

    @property
    def flop(self) -> int:
        """As FlashAttention's own benchmark counts: a causal mask halves it."""
        whole = 4 * self.heads * self.queries * self.keys * self.width
        return whole // 2 if self.causal else whole

    @property
    def bytes(self) -> int:
        numbers = 2 * self.heads * self.queries * self.width + 2 * self.kv_heads * self.keys * self.width
        return numbers * (4 if self.dtype == "float32" else 2)

    @property
    def scratch_bytes(self) -> int:
        """`math` keeps the scores, in float32, about three times."""
        return 12 * self.heads * self.queries * self.keys if self.backend == "math" else 0

    def settings(self) -> Any:
        return only(self.backend) if self.backend in BACKENDS else contextlib.nullcontext()

    @property
    def input_shapes(self) -> tuple[Shape, Shape, Shape]:
        """Of queries, keys and values; PyTorch before 2.5 wants a KV head for every query head."""
        kv_heads = self.kv_heads if takes_grouped_queries() else self.heads
        keys = (1, kv_heads, self.keys, self.width)
        return (1, self.heads, self.queries, self.width), keys, keys

    def inputs(self, device: torch.device, seed: int) -> Tensors:
        q, k, v = self.input_shapes
        return tuple(normal(shape, self.dtype, device, seed + i) for i, shape in enumerate((q, k, v)))

    def call(self, tensors: Tensors) -> torch.Tensor:
        q, k, v = tensors
        if self.backend == "flash-attn":
            from flash_attn import flash_attn_func

            out = flash_attn_func(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), causal=self.causal)
            return out.transpose(1, 2)
        return sdpa(q, k, v, causal=self.causal)

    def check(self, tensors: Tensors, out: torch.Tensor) -> Check:
        q, k, v = tensors
        return check_attention(q, k, v, out, causal=self.causal, dtype=self.dtype)

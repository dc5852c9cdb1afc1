"""How fast a token could come on this GPU: bytes over bandwidth, and the matrix-vector products alone."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.cases import copied_numbers
from cudacheck.bench.decoder import Weights, prefill_flop
from cudacheck.bench.device import current
from cudacheck.bench.generation import captured
from cudacheck.bench.kernels import Matmul
from cudacheck.bench.memory import give_back
from cudacheck.bench.step_rows import Bench
from cudacheck.bench.steps import Shape
from cudacheck.bench.timing import Patience, time_call


def measured(device: torch.device, shape: Shape) -> dict[str, Any]:
    """Fields of a DecodeCeiling."""
    bench = Bench(device, shape)
    try:
        with torch.no_grad(), current(device):
            bench.require_room()
            weights = bench.weights_in(bench.half)
            return {
                "decode_bytes": weights.decode_bytes(shape.prompt),
                "prefill_flop": prefill_flop(shape, shape.prompt),
                "prefill_long_flop": prefill_flop(shape, shape.long_prompt),
                "read_gb_per_s": read_gb_per_s(min(copied_numbers(device), shape.parameters), device),
                "gemv_ms": gemv_ms(weights),
                "matmul_tflops": matmul_tflops(bench.half, min(8192, shape.vocabulary), device),
            }
    finally:
        give_back(device)


def read_gb_per_s(count: int, device: torch.device) -> float:
    numbers = torch.empty(count, device=device).normal_()
    us: float = time_call(lambda _: numbers.sum(), device, 1, Patience()).summary.median
    return float(numbers.numel() * numbers.element_size() / us / 1e3)


def gemv_ms(weights: Weights) -> float:
    """Every linear map of a decode step once, in order, in one CUDA graph; nothing in between."""
    device, shape = weights.device, weights.shape
    hidden, wide, heads = (
        torch.randn(1, size, device=device).to(weights.dtype)
        for size in (shape.hidden, shape.intermediate, shape.heads * shape.head_dim)
    )

    def products() -> torch.Tensor:
        for w in weights.layers:
            F.linear(hidden, w.qkv, w.qkv_bias)
            F.linear(heads, w.out)
            F.linear(hidden, w.gate_up)
            F.linear(wide, w.down)
        return F.linear(hidden, weights.head)

    replay, _ = captured(products, device)
    us: float = time_call(lambda _: replay(), device, 1, Patience()).summary.median
    return us / 1e3


def matmul_tflops(dtype: str, size: int, device: torch.device) -> float:
    case = Matmul(dtype, size, size, size)
    tensors = case.inputs(device, seed=0)
    return case.flop / time_call(lambda _: case.call(tensors), device, 1, Patience()).summary.median / 1e6

"""Is the result right? Rows of it against float64 on the CPU, which shares no library with the GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

ROUNDING = {
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
    "tf32": 2.0**-11,
    "float32": 2.0**-24,
    "float64": 2.0**-53,
}
"""Largest relative error of rounding one number to each format."""

ATTENTION_TOLERANCE = {"float16": 1e-2, "bfloat16": 1e-2, "float32": 3e-3}
"""Every backend of an H200 stayed below 2.2e-3 in 16 bit; wrong answers are off by their own size."""


@dataclass(frozen=True)
class Check:
    ok: bool
    error: float | None
    """Largest relative error over the rows looked at; None where the result is not finite."""
    tolerance: float


def compare(got: torch.Tensor, want: torch.Tensor, tolerance: float) -> Check:
    """The largest over rows of |got - want| / |want|, lengths taken over the last dimension.

    By row, so that one wrong tile, head or query cannot hide in the size of the whole.
    """
    got = got.double()
    length = want.norm(dim=-1).clamp_min(torch.finfo(torch.float64).tiny)
    error = float(((got - want).norm(dim=-1) / length).max())
    if not math.isfinite(error):
        return Check(ok=False, error=None, tolerance=tolerance)
    return Check(error <= tolerance, error, tolerance)


def some_of(count: int, most: int) -> torch.Tensor:
    """At most so many of the indices below count: the first, the last, and always the same random others."""
    if count <= most:
        return torch.arange(count)
    order = torch.randperm(count - 2, generator=torch.Generator().manual_seed(1)) + 1
    return torch.cat([torch.tensor([0, count - 1]), order[: most - 2]]).sort().values


def matmul_tolerance(dtype: str, terms: int) -> float:
    """How far a sum of that many products may be off.

    16 bit and TF32 round inputs or output once and add up in float32, which errs with the sum's length.
    """
    if dtype in ("float32", "float64"):
        return 4 * math.sqrt(terms) * ROUNDING[dtype]
    return 4 * ROUNDING[dtype]


def check_matmul(a: torch.Tensor, weight: torch.Tensor, out: torch.Tensor, dtype: str) -> Check:
    """16 rows by 64 columns of a @ weight.T."""
    rows = some_of(a.shape[0], 16).to(a.device)
    columns = some_of(weight.shape[0], 64).to(a.device)
    want = a[rows].cpu().double() @ weight[columns].cpu().double().t()
    got = out[rows][:, columns].cpu()
    return compare(got, want, matmul_tolerance(dtype, a.shape[1]))


def check_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor, *, causal: bool, dtype: str
) -> Check:
    """32 queries of every head."""
    rows = some_of(q.shape[2], 32).to(q.device)
    positions = rows.cpu() if causal else None
    want = attention(q[:, :, rows].cpu().double(), k.cpu().double(), v.cpu().double(), positions)
    return compare(out[:, :, rows].cpu(), want, ATTENTION_TOLERANCE[dtype])


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
    """Attention written out: each query sees the keys up to its position, or all where positions is None."""
    batch, heads, queries, width = q.shape
    grouped = q.reshape(batch, k.shape[1], -1, queries, width)  # query heads that share one KV head
    scores = grouped @ k.unsqueeze(2).transpose(-1, -2) / math.sqrt(width)
    if positions is not None:
        later = torch.arange(k.shape[2], device=k.device) > positions[:, None]
        scores = scores.masked_fill(later, -math.inf)
    return (scores.softmax(-1) @ v.unsqueeze(2)).reshape(batch, heads, queries, width)

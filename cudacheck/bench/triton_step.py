"""The decode step in five Triton kernels a layer: how far beyond PyTorch's own kernels this GPU goes at batch 1.

Triton comes with the Linux CUDA wheels of PyTorch; it needs a C compiler to start a kernel.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from cudacheck.bench.decoder import LayerWeights, Slots
from cudacheck.bench.steps import Shape

TILES = {"qkv": (4, 512, 4), "out": (2, 1024, 4), "gate_up": (2, 512, 4), "down": (2, 1024, 4)}
"""Rows of the weight a program takes, columns it reads at a time, and its warps; what was fastest on an H200."""
KEYS_AT_A_TIME = 128


@triton.jit
def gemv_kernel(
    x_ptr, norm_ptr, weight_ptr, bias_ptr, out_ptr, rows, eps,
    COLUMNS: tl.constexpr, NORM: tl.constexpr, BIAS: tl.constexpr, ADD: tl.constexpr, GATED: tl.constexpr,
    ROWS_AT_A_TIME: tl.constexpr, COLUMNS_AT_A_TIME: tl.constexpr,
):  # fmt: skip
    """Computes weight @ x in float32. NORM: x is normalised (RMS) first. GATED: silu(first half of the rows) times
    the second half. ADD: to what is in out.
    """
    row = tl.program_id(0) * ROWS_AT_A_TIME + tl.arange(0, ROWS_AT_A_TIME)
    column_in_tile = tl.arange(0, COLUMNS_AT_A_TIME)
    total = tl.zeros((ROWS_AT_A_TIME, COLUMNS_AT_A_TIME), tl.float32)
    total_up = tl.zeros((ROWS_AT_A_TIME, COLUMNS_AT_A_TIME), tl.float32)
    squares = tl.zeros((COLUMNS_AT_A_TIME,), tl.float32)
    for start in range(0, COLUMNS, COLUMNS_AT_A_TIME):
        column = start + column_in_tile
        inside = (row < rows)[:, None] & (column < COLUMNS)[None, :]
        place = row[:, None] * COLUMNS + column[None, :]
        weight = tl.load(weight_ptr + place, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)
        x = tl.load(x_ptr + column, mask=column < COLUMNS, other=0.0).to(tl.float32)
        if NORM:
            squares += x * x
            x *= tl.load(norm_ptr + column, mask=column < COLUMNS, other=0.0).to(tl.float32)
        total += weight * x[None, :]
        if GATED:
            up_ptr = weight_ptr + rows * COLUMNS + place
            up = tl.load(up_ptr, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)
            total_up += up * x[None, :]
    y = tl.sum(total, 1)
    scale = 1.0
    if NORM:
        scale = 1.0 / tl.sqrt(tl.sum(squares, 0) / COLUMNS + eps)
        y *= scale
    if GATED:
        y = y / (1.0 + tl.exp(-y)) * tl.sum(total_up, 1) * scale
    if BIAS:
        y += tl.load(bias_ptr + row, mask=row < rows, other=0.0).to(tl.float32)
    if ADD:
        y += tl.load(out_ptr + row, mask=row < rows, other=0.0).to(tl.float32)
    tl.store(out_ptr + row, y.to(out_ptr.dtype.element_ty), mask=row < rows)


@triton.jit
def attention_kernel(
    qkv_ptr, cos_ptr, sin_ptr, cache_ptr, used_ptr, out_ptr, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, WIDTH: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """RoPE, the newest key and value into the cache (laid out as in generation.StaticCache) and attention over all,
    one query head a program: no parts to combine.
    """
    head = tl.program_id(0)
    group = HEADS // KV_HEADS
    kv_head = head // group
    i = tl.arange(0, WIDTH)
    turned = (i + WIDTH // 2) % WIDTH
    cos, sin = tl.load(cos_ptr + i).to(tl.float32), tl.load(sin_ptr + i).to(tl.float32)
    kind = cache_ptr.dtype.element_ty
    q_ptr, k_ptr = qkv_ptr + head * WIDTH, qkv_ptr + (HEADS + kv_head) * WIDTH
    q = (tl.load(q_ptr + i).to(tl.float32) * cos + tl.load(q_ptr + turned).to(tl.float32) * sin) * scale
    k = (tl.load(k_ptr + i).to(tl.float32) * cos + tl.load(k_ptr + turned).to(tl.float32) * sin).to(kind)
    v = tl.load(qkv_ptr + (HEADS + KV_HEADS + kv_head) * WIDTH + i)
    position = tl.load(used_ptr) - 1
    newest_ptr = cache_ptr + (HEADS + kv_head) * WIDTH
    if head % group == 0:
        tl.store(newest_ptr + i, k)
        tl.store(newest_ptr + KV_HEADS * WIDTH + i, v)
    row_ptr = newest_ptr + 2 * KV_HEADS * WIDTH
    # The new key first, out of registers: other programs may not have stored it yet.
    most, total, y = tl.sum(q * k.to(tl.float32), 0), 1.0, v.to(tl.float32)
    for start in range(0, position, KEYS):
        key = start + tl.arange(0, KEYS)
        inside = (key < position)[:, None]
        place = key[:, None] * 2 * KV_HEADS * WIDTH + i[None, :]
        keys = tl.load(row_ptr + place, mask=inside, other=0.0).to(tl.float32)
        values = tl.load(row_ptr + KV_HEADS * WIDTH + place, mask=inside, other=0.0).to(tl.float32)
        scores = tl.where(key < position, tl.sum(keys * q[None, :], 1), -1e30)
        higher = tl.maximum(most, tl.max(scores, 0))
        weights, shrink = tl.exp(scores - higher), tl.exp(most - higher)
        total = total * shrink + tl.sum(weights, 0)
        y = y * shrink + tl.sum(weights[:, None] * values, 0)
        most = higher
    tl.store(out_ptr + head * WIDTH + i, (y / total).to(kind))


def gemv(
    name: str,
    x: torch.Tensor,
    weight: torch.Tensor,
    out: torch.Tensor,
    *,
    norm: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 0.0,
    add: bool = False,
) -> torch.Tensor:
    rows_at_a_time, columns_at_a_time, warps = TILES[name]
    gemv_kernel[(triton.cdiv(out.numel(), rows_at_a_time),)](
        x, x if norm is None else norm, weight, x if bias is None else bias, out, out.numel(), eps,
        COLUMNS=weight.shape[1], NORM=norm is not None, BIAS=bias is not None, ADD=add, GATED=name == "gate_up",
        ROWS_AT_A_TIME=rows_at_a_time, COLUMNS_AT_A_TIME=columns_at_a_time, num_warps=warps,
    )  # fmt: skip
    return out


def decode_layer(
    x: torch.Tensor,
    w: LayerWeights,
    cos: torch.Tensor,
    sin: torch.Tensor,
    cache: torch.Tensor,
    slots: Slots,
    fused: bool,  # noqa: ARG001 - it always is
    shape: Shape,
) -> torch.Tensor:
    """What generation.decode_layer computes, for one sequence. Overwrites x."""
    if len(x) != 1:
        raise RuntimeError("the Triton kernels decode one sequence")
    width, eps = shape.head_dim, shape.eps
    qkv = x.new_empty(shape.all_heads * width)
    gemv("qkv", x, w.qkv, qkv, norm=w.attention_norm, bias=w.qkv_bias, eps=eps)
    y = x.new_empty(shape.heads * width)
    attention_kernel[(shape.heads,)](
        qkv, cos, sin, cache, slots.used, y, width**-0.5,
        HEADS=shape.heads, KV_HEADS=shape.kv_heads, WIDTH=width, KEYS=KEYS_AT_A_TIME, num_warps=4,
    )  # fmt: skip
    gemv("out", y, w.out, x, add=True)
    activation = x.new_empty(shape.intermediate)
    gemv("gate_up", x, w.gate_up, activation, norm=w.mlp_norm, eps=eps)
    return gemv("down", activation, w.down, x, add=True)

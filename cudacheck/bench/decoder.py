"""A decoder of Qwen2's shape in plain PyTorch with random weights; how it runs is a matter of `Options`.

One sequence is prefilled at a time; a decode step takes one token of each of `slots` sequences. Tensors are
(tokens, heads, head width): for a prompt the tokens are one sequence's, in a decode step they are one of each slot.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.sdpa import sdpa
from cudacheck.bench.steps import Shape

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes queries, new keys and new values, (tokens, heads, head width); attends, and gives (tokens, hidden)."""


class Slots(NamedTuple):
    """Where the sequences of a decode step stand; all on the device, so that a CUDA graph finds them moved on."""

    used: torch.Tensor
    """How many keys each sequence has with the new one, int32."""
    query_starts: torch.Tensor
    key_starts: torch.Tensor
    """Of each sequence in what is concatenated, int32, as variable-length FlashAttention asks."""
    mask: torch.Tensor | None
    """Added to the scores; None where FlashAttention reads `used`."""
    bucket: int


class LayerWeights(NamedTuple):
    """Weights are stored (out, in), as nn.Linear stores them; those that read the same input lie in one tensor."""

    attention_norm: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor
    out: torch.Tensor
    mlp_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor

    def to(self, dtype: torch.dtype) -> LayerWeights:
        return LayerWeights(*(tensor.to(dtype) for tensor in self))


class Weights:
    """Of a whole model, head and embedding untied: with random weights a tied head repeats one token for ever."""

    def __init__(
        self, shape: Shape, embedding: torch.Tensor, head: torch.Tensor, norm: torch.Tensor, layers: list[LayerWeights]
    ) -> None:
        self.shape, self.embedding, self.head, self.norm, self.layers = shape, embedding, head, norm, layers
        self.dtype, self.device = head.dtype, head.device
        self.cos: torch.Tensor
        self.sin: torch.Tensor

    @classmethod
    def drawn(cls, shape: Shape, dtype: str, device: torch.device) -> Weights:
        """Normal, from a fixed seed."""
        generator = torch.Generator(device=device).manual_seed(0)
        kind = DTYPES[dtype]

        def draw(*size: int) -> torch.Tensor:
            return torch.randn(*size, generator=generator, device=device).mul_(shape.weights_std).to(kind)

        def ones() -> torch.Tensor:
            return torch.ones(shape.hidden, device=device, dtype=kind)

        width = shape.all_heads * shape.head_dim
        layers = [
            LayerWeights(
                attention_norm=ones(),
                qkv=draw(width, shape.hidden),
                qkv_bias=draw(width),
                out=draw(shape.hidden, shape.heads * shape.head_dim),
                mlp_norm=ones(),
                gate_up=draw(2 * shape.intermediate, shape.hidden),
                down=draw(shape.hidden, shape.intermediate),
            )
            for _ in range(shape.layers)
        ]
        return cls(shape, draw(shape.vocabulary, shape.hidden), draw(shape.vocabulary, shape.hidden), ones(), layers)

    def to(self, dtype: str) -> Weights:
        """The same numbers in another type."""
        kind = DTYPES[dtype]
        layers = [layer.to(kind) for layer in self.layers]
        return Weights(self.shape, self.embedding.to(kind), self.head.to(kind), self.norm.to(kind), layers)

    @property
    def bytes(self) -> int:
        tensors = [self.embedding, self.head, self.norm, *(tensor for layer in self.layers for tensor in layer)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def decode_bytes(self, context: int) -> int:
        """What one token reads: everything but the embedding, of which it is one row, and the cache."""
        shape = self.shape
        cache = 2 * shape.layers * shape.kv_heads * shape.head_dim * context
        size: int = self.head.element_size()
        return self.bytes + (cache - int(self.embedding.numel())) * size


def prefill_flop(shape: Shape, tokens: int) -> int:
    """Multiplications and additions of a prompt, with the logits of its last token alone."""
    width = shape.head_dim * (shape.all_heads + shape.heads)
    per_token = shape.layers * shape.hidden * (width + 3 * shape.intermediate)
    attention = shape.layers * shape.heads * shape.head_dim * tokens * (tokens + 1)  # two products, half of each masked
    return 2 * (tokens * per_token + attention + shape.hidden * shape.vocabulary)


def rope_tables(
    shape: Shape, length: int, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine, (positions, all heads, head width); values are turned by nothing. The sine has
    rotate_half's sign in it.
    """
    half = torch.arange(0, shape.head_dim, 2, device=device).float() / shape.head_dim
    angle = torch.outer(torch.arange(length, device=device).float(), shape.rope_theta**-half)[:, None]
    turned = shape.heads + shape.kv_heads
    cos = torch.ones(length, shape.all_heads, shape.head_dim, device=device)
    sin = torch.zeros_like(cos)
    cos[:, :turned] = torch.cat([angle.cos(), angle.cos()], -1)
    sin[:, :turned] = torch.cat([-angle.sin(), angle.sin()], -1)
    return cos.to(dtype), sin.to(dtype)


def rope(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin, out=out)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """As transformers writes it: in float32, one kernel for each operation."""
    y = x.float()
    return weight * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


def layer(
    x: torch.Tensor, w: LayerWeights, cos: torch.Tensor, sin: torch.Tensor, attend: Attend, shape: Shape
) -> torch.Tensor:
    """One layer, each linear map and each operation by itself. (tokens, hidden) in and out."""
    heads, kv_heads, turned = shape.heads, shape.kv_heads, shape.heads + shape.kv_heads
    y = rms_norm(x, w.attention_norm, shape.eps)

    def linear(first: int, last: int) -> torch.Tensor:
        rows = slice(first * shape.head_dim, last * shape.head_dim)
        return F.linear(y, w.qkv[rows], w.qkv_bias[rows]).view(x.shape[0], -1, shape.head_dim)

    q = rope(linear(0, heads), cos[:, :heads], sin[:, :heads])
    k = rope(linear(heads, turned), cos[:, heads:turned], sin[:, heads:turned])
    x = x + F.linear(attend(q, k, linear(turned, turned + kv_heads)), w.out)
    y = rms_norm(x, w.mlp_norm, shape.eps)
    gate, up = F.linear(y, w.gate_up[: shape.intermediate]), F.linear(y, w.gate_up[shape.intermediate :])
    return x + F.linear(F.silu(gate) * up, w.down)


def fused_layer(
    x: torch.Tensor,
    w: LayerWeights,
    cos: torch.Tensor,
    sin: torch.Tensor,
    attend: Attend,
    shape: Shape,
    qkv_out: torch.Tensor | None = None,
) -> torch.Tensor:
    """The same in a third of the kernels. Overwrites x; query, key and value are written where they are wanted."""
    heads, turned = shape.heads, shape.heads + shape.kv_heads
    y = F.rms_norm(x, (shape.hidden,), w.attention_norm, shape.eps)
    qkv = rope(F.linear(y, w.qkv, w.qkv_bias).view(x.shape[0], -1, shape.head_dim), cos, sin, qkv_out)
    y = attend(qkv[:, :heads], qkv[:, heads:turned], qkv[:, turned:])
    x = x.addmm_(y, w.out.t())
    gate_up = F.linear(F.rms_norm(x, (shape.hidden,), w.mlp_norm, shape.eps), w.gate_up)
    gate, up = gate_up[:, : shape.intermediate], gate_up[:, shape.intermediate :]
    return x.addmm_(F.silu(gate) * up, w.down.t())


def causal_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kind: str) -> torch.Tensor:
    """The queries are the last of the keys' positions: all of them, or the last one alone."""
    q, k, v = (tensor.transpose(0, 1) for tensor in (q, k, v))
    causal = q.shape[1] > 1
    if kind == "eager":
        group = q.shape[0] // k.shape[0]
        k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
        scores = torch.matmul(q, k.transpose(1, 2)) * q.shape[-1] ** -0.5
        if causal:
            scores = scores + torch.full_like(scores[0], torch.finfo(scores.dtype).min).triu(1)
        y = torch.matmul(torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype), v)
    elif kind == "flash-attn":
        return _flash_attn(q, k, v, causal=causal)
    else:
        y = sdpa(q[None], k[None], v[None], causal=causal)[0]
    return y.transpose(0, 1).reshape(q.shape[1], -1)


def _flash_attn(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    import flash_attn

    y: Any = flash_attn.flash_attn_func(*(tensor.transpose(0, 1)[None] for tensor in (q, k, v)), causal=causal)
    return y[0].reshape(q.shape[1], -1)


def reference_logits(weights: Weights, ids: torch.Tensor, last: int, dtype: str = "float32") -> torch.Tensor:
    """The logits of the last tokens, (last, vocabulary): eager, no cache, one layer in that type at a time."""
    kind, shape = DTYPES[dtype], weights.shape
    cos, sin = rope_tables(shape, len(ids), kind, weights.device)
    x = F.embedding(ids, weights.embedding).to(kind)
    for w in weights.layers:
        x = layer(x, w.to(kind), cos, sin, lambda q, k, v: causal_attention(q, k, v, "eager"), shape)
    return F.linear(rms_norm(x[-last:], weights.norm.to(kind), shape.eps), weights.head.to(kind)).float()

"""Greedy generation with the decoder of decoder.py: caches, CUDA graphs, the first token and the ones after it."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.decoder import (
    LayerWeights,
    Slots,
    Weights,
    causal_attention,
    fused_layer,
    layer,
    rms_norm,
    rope_tables,
)
from cudacheck.bench.device import wait_for
from cudacheck.bench.sdpa import without_cudnn
from cudacheck.bench.steps import Options, Shape

PROMPT_BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Prompts are padded to one of these where a CUDA graph prefills them."""
CACHE_BUCKETS = (256, 512, 1024, 2048)
"""A decode step reads so much of the static cache: one graph each, and the fewer keys the fewer parts to combine."""


def decode_layer(
    x: torch.Tensor,
    w: LayerWeights,
    cos: torch.Tensor,
    sin: torch.Tensor,
    cache: torch.Tensor,
    slots: Slots,
    fused: bool,
    shape: Shape,
) -> torch.Tensor:
    """One new token of each sequence through one layer with its cache, which is laid out as in StaticCache."""
    newest = cache[:, : shape.all_heads]

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        if not fused:
            newest[:, shape.heads : shape.heads + shape.kv_heads], newest[:, shape.heads + shape.kv_heads :] = k, v
        if slots.mask is None:
            return flash_over(q, cache, slots, shape)
        keys = cache[:, shape.heads :].unflatten(1, (-1, 2, shape.kv_heads))
        return matmuls_over(q, keys[:, : slots.mask.shape[1]], slots.mask)

    if fused:
        return fused_layer(x, w, cos, sin, attend, shape, newest)
    return layer(x, w, cos, sin, attend, shape)


def flash_over(q: torch.Tensor, cache: torch.Tensor, slots: Slots, shape: Shape) -> torch.Tensor:
    """FlashAttention with the lengths on the device: the kernel behind torch.nn.attention.varlen."""
    rows = cache.view(-1, 2 * shape.kv_heads, shape.head_dim)
    y = torch.ops.aten._flash_attention_forward(  # noqa: SLF001 - the public one takes no lengths on the device
        q, rows[:, : shape.kv_heads], rows[:, shape.kv_heads :], slots.query_starts, slots.key_starts, 1, slots.bucket,
        0.0, False, False, seqused_k=slots.used,
    )  # fmt: skip
    return y[0].view(len(q), -1)


def matmuls_over(q: torch.Tensor, cached: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax between two batched matmuls over the bucket: public, any type, CPUs too.

    `cached` is (sequences, keys, key or value, heads, head width).
    """
    sequences, _, _, kv_heads, width = cached.shape
    keys = cached[:, :, 0].permute(0, 2, 3, 1).flatten(0, 1)
    values = cached[:, :, 1].transpose(1, 2).flatten(0, 1)
    group = q.shape[1] // kv_heads
    mask = mask[:, None, None].expand(-1, kv_heads, group, -1).flatten(0, 1)
    scores = torch.baddbmm(mask, q.reshape(-1, group, width), keys, alpha=width**-0.5)
    return torch.bmm(torch.softmax(scores, -1), values).view(sequences, -1)


class StaticCache:
    """Keys and values of every layer in place, in one tensor (layers, sequences, rows of heads, head width).

    Each sequence begins with the newest token's query, key and value: where the kernel that turns them (RoPE) writes,
    so that nothing copies them. Attention does not mind the order of keys; after the step, one copy for all layers puts
    the newest key and value behind the others.
    """

    def __init__(self, shape: Shape, slots: int, max_length: int, dtype: torch.dtype, device: torch.device) -> None:
        self.pair = 2 * shape.kv_heads
        self.before = shape.heads // self.pair
        """The query takes as much room as this many tokens' keys and values; the newest ones follow it."""
        rows = self.before + 1 + max_length
        self.heads = torch.zeros(shape.layers, slots, rows * self.pair, shape.head_dim, dtype=dtype, device=device)
        self.tokens = self.heads.unflatten(2, (rows, self.pair))
        self.slots = torch.arange(slots, device=device)
        self.key_starts = torch.arange(slots + 1, dtype=torch.int32, device=device) * rows + self.before

    def keep_prompt(self, layer_index: int, slot: int, k: torch.Tensor, v: torch.Tensor) -> None:
        rows = self.tokens[layer_index, slot, self.before + 1 :][: len(k)]
        rows[:, : self.pair // 2], rows[:, self.pair // 2 :] = k, v

    def keep_newest(self, position: torch.Tensor) -> None:
        """Behind the `position` keys that are there already."""
        self.tokens[:, self.slots, self.before + 1 + position] = self.tokens[:, :, self.before]


class Engine:
    """Answers prompts of token ids; `options` say how. Raises RuntimeError where PyTorch or the GPU cannot."""

    def __init__(self, weights: Weights, options: Options, slots: int = 1, max_length: int = 2048) -> None:
        self.weights, self.options, self.shape = weights, options, weights.shape
        self.device, self.max_length = weights.device, max_length
        self.capture_s = 0.0
        self.graphs: dict[tuple[object, ...], Any] = {}
        self.cos, self.sin = rope_tables(self.shape, max_length, weights.dtype, self.device)
        self.lengths = [0] * slots

        self.token = torch.zeros(slots, dtype=torch.long, device=self.device)
        self.position = torch.zeros(slots, dtype=torch.long, device=self.device)
        self.used = torch.ones(slots, dtype=torch.int32, device=self.device)
        self.query_starts = torch.arange(slots + 1, dtype=torch.int32, device=self.device)
        self.last = torch.zeros(1, dtype=torch.long, device=self.device)
        self.history = torch.zeros(0, dtype=torch.long, device=self.device)
        self.grown: list[tuple[torch.Tensor, ...]] = [()] * self.shape.layers
        """Keys and values of each layer, where the cache is dynamic."""
        if options.cache == "static":
            self.cache = StaticCache(self.shape, slots, max_length, weights.dtype, self.device)
        self.flash = options.cache == "static" and self._flash_serves()
        self.decode_layer = decode_layer
        if options.engine == "compile":
            self.decode_layer = torch.compile(decode_layer, fullgraph=True, dynamic=False)
        elif options.engine == "triton":
            from cudacheck.bench import triton_step

            self.decode_layer = triton_step.decode_layer

    def _flash_serves(self) -> bool:
        """Whether the kernel takes this type on this GPU: asked by calling it once."""
        if self.device.type != "cuda" or self.weights.dtype == torch.float32:
            return False
        q = self.cache.heads[0, :, : self.shape.heads]
        try:
            flash_over(q, self.cache.heads[0], self._slots(CACHE_BUCKETS[0], masked=False), self.shape)
        except (RuntimeError, AttributeError, TypeError):
            return False
        return True

    # The prompt

    def first_token(self, ids: torch.Tensor, slot: int = 0) -> int:
        """Ids on the host to the answer's first id on the host."""
        self.prefill(ids, slot)
        return int(self.token[slot].item())

    def prefill(self, ids: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """Take in a prompt, (tokens,) on the host; the answer's first token waits in `token`. Returns its logits."""
        with self._backends():
            if self.options.prefill_graph:
                logits = self._prefill_by_graph(ids, slot)
            else:
                self.history = ids.to(self.device, non_blocking=True)
                logits = self._prefill(self.history, slot, None)
        self.lengths[slot] = len(ids)
        self.position[slot], self.used[slot] = len(ids), len(ids) + 1
        return logits

    def _prefill_by_graph(self, ids: torch.Tensor, slot: int) -> torch.Tensor:
        """Padding is to the right, where causal attention does not look."""
        bucket = next(size for size in PROMPT_BUCKETS if size >= len(ids))
        self.last.fill_(len(ids) - 1)  # before a capture, too: another prompt's last may lie beyond this bucket
        if (bucket, slot) not in self.graphs:
            padded = torch.zeros(bucket, dtype=torch.long, device=self.device)
            replay, logits = self._captured(lambda: self._prefill(padded, slot, self.last))
            self.graphs[bucket, slot] = replay, logits, padded
        replay, logits, padded = self.graphs[bucket, slot]
        padded[: len(ids)].copy_(ids, non_blocking=True)
        replay()
        return logits

    def _prefill(self, ids: torch.Tensor, slot: int, last: torch.Tensor | None) -> torch.Tensor:
        x = F.embedding(ids, self.weights.embedding)
        cos, sin = self.cos[: len(ids)], self.sin[: len(ids)]
        one_layer = fused_layer if self.options.fused else layer
        for index, w in enumerate(self.weights.layers):
            x = one_layer(x, w, cos, sin, self._attend_prompt(index, slot), self.shape)
        return self.choose(x[-1:] if last is None else x.index_select(0, last), self.token[slot : slot + 1])

    def _attend_prompt(self, index: int, slot: int) -> Callable[..., torch.Tensor]:
        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            if self.options.cache == "static":
                self.cache.keep_prompt(index, slot, k, v)
            elif self.options.cache == "dynamic":
                self.grown[index] = k, v
            return causal_attention(q, k, v, self.options.attention)

        return attend

    # The tokens after it

    def step(self) -> torch.Tensor:
        """Decode one token of each sequence; nothing waits for it. Returns the logits, (slots, vocabulary)."""
        if self.options.cache == "none":
            return self._step_without_cache()
        bucket = next(size for size in (*CACHE_BUCKETS, self.max_length) if size > max(self.lengths))
        self.lengths = [length + 1 for length in self.lengths]
        with self._backends():
            if not self.options.decode_graph:
                return self._decode(bucket)
            if ("decode", bucket) not in self.graphs:
                state = self.token, self.position, self.used
                before = [tensor.clone() for tensor in state]
                self.graphs["decode", bucket] = self._captured(lambda: self._decode(bucket))
                for tensor, value in zip(state, before):  # the warm-up moved them on
                    tensor.copy_(value)
            replay, logits = self.graphs["decode", bucket]
            replay()
            return logits

    def _step_without_cache(self) -> torch.Tensor:
        self.history = torch.cat([self.history, self.token])
        with self._backends():
            return self._prefill(self.history, 0, None)

    def _decode(self, bucket: int) -> torch.Tensor:
        x = F.embedding(self.token, self.weights.embedding)
        cos, sin = self.cos.index_select(0, self.position), self.sin.index_select(0, self.position)
        if self.options.cache == "dynamic":
            for index, w in enumerate(self.weights.layers):
                one_layer = fused_layer if self.options.fused else layer
                x = one_layer(x, w, cos, sin, self._attend_grown(index), self.shape)
        else:
            slots = self._slots(bucket, masked=not self.flash)
            for w, cache in zip(self.weights.layers, self.cache.heads):
                x = self.decode_layer(x, w, cos, sin, cache, slots, self.options.fused, self.shape)
            self.cache.keep_newest(self.position)
        logits = self.choose(x, self.token)
        self.position.add_(1)
        self.used.add_(1)
        return logits

    def _attend_grown(self, index: int) -> Callable[..., torch.Tensor]:
        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            keys, values = self.grown[index]
            keys, values = torch.cat([keys, k]), torch.cat([values, v])
            self.grown[index] = keys, values
            return causal_attention(q, keys, values, self.options.attention)

        return attend

    def _slots(self, bucket: int, *, masked: bool) -> Slots:
        mask = None
        if masked:
            keys = torch.arange(min(bucket, self.max_length), device=self.device)
            mask = torch.where(keys < self.used[:, None], 0.0, -torch.inf).to(self.weights.dtype)
        return Slots(self.used, self.query_starts, self.cache.key_starts, mask, bucket)

    # Both

    def choose(self, x: torch.Tensor, token: torch.Tensor) -> torch.Tensor:
        """The logits of the last layer's output, (tokens, vocabulary); the likeliest ids go into `token`."""
        w, eps = self.weights, self.shape.eps
        y = F.rms_norm(x, (self.shape.hidden,), w.norm, eps) if self.options.fused else rms_norm(x, w.norm, eps)
        logits = F.linear(y, w.head)
        token.copy_(logits.argmax(-1))
        return logits

    def _backends(self) -> Any:
        return without_cudnn() if self.options.attention == "cudnn off" else contextlib.nullcontext()

    def _captured(self, call: Callable[[], torch.Tensor]) -> tuple[Callable[[], object], torch.Tensor]:
        started = time.perf_counter()
        replay, result = captured(call, self.device)
        wait_for(self.device)
        self.capture_s += time.perf_counter() - started
        return replay, result


def captured(call: Callable[[], torch.Tensor], device: torch.device) -> tuple[Callable[[], object], torch.Tensor]:
    """What replays the call as a CUDA graph, and the tensor that then holds its result.

    Warmed up on a stream of its own, as the documentation of torch.cuda.graph asks. A CPU has no graphs: there the
    call itself is what is replayed.
    """
    if device.type != "cuda":
        result = call()
        return lambda: result.copy_(call()), result
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()
    return graph.replay, result


def generated(engine: Engine, ids: torch.Tensor, tokens: int) -> Iterator[int]:
    """The answer to one prompt, each token read by the host as it comes."""
    yield engine.first_token(ids)
    for _ in range(tokens - 1):
        engine.step()
        yield int(engine.token[0].item())


def generate(engine: Engine, ids: torch.Tensor, tokens: int) -> list[int]:
    return list(generated(engine, ids, tokens))

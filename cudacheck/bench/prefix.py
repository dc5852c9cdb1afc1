"""What it saves when the beginning of a prompt is in the cache already, as with a system prompt that all share."""

from __future__ import annotations

from statistics import median
from typing import Any, Callable

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere

from cudacheck.bench.decoder import fused_layer
from cudacheck.bench.device import current
from cudacheck.bench.generation import Engine, captured
from cudacheck.bench.memory import let_go
from cudacheck.bench.step_rows import LARGEST_ERROR, Bench, first_line, wall_ms, worst_error
from cudacheck.bench.steps import BEST, Shape, ladder

NEW = 64
"""So many of the long prompt's tokens are not in the cache yet."""
WARM, STEADY = 2, 8


def measured(device: torch.device, shape: Shape) -> dict[str, Any]:
    """Fields of a PrefixReuse (cudacheck/probes/patient/bench_steps.py)."""
    about = {"tokens": shape.long_prompt, "kept": shape.long_prompt - NEW}
    try:
        with torch.no_grad(), current(device):
            return {**about, **measure(Bench(device, shape), shape)}
    except Exception as error:
        return {**about, "error": first_line(error)}
    finally:
        let_go(device)


def measure(bench: Bench, shape: Shape) -> dict[str, Any]:
    """Both ways must come to the full prefill's logits; before the cache is restored another prompt overwrites it."""
    engine = Engine(bench.weights_in(bench.half), ladder(bench.half)[BEST])
    prompt, another = (bench.prompt(shape.long_prompt, seed) for seed in (0, 1))
    expected = engine.prefill(prompt).clone()
    rest = Rest(engine, prompt)
    full_ms = steady_ms(lambda: engine.first_token(prompt), bench.device)
    reused_ms = steady_ms(rest.first_token, bench.device)
    reused = rest.logits.clone()
    engine.prefill(another)
    restored_ms = steady_ms(rest.first_token_when_restored, bench.device)
    error = worst_error(torch.cat([reused, rest.logits]).float(), expected.float())
    return {
        "full_ms": full_ms,
        "reused_ms": reused_ms,
        "restored_ms": restored_ms,
        "logits_error": error,
        "ok": error <= LARGEST_ERROR,
    }


def steady_ms(call: Callable[[], object], device: torch.device) -> float:
    return median([wall_ms(call, device) for _ in range(WARM + STEADY)][WARM:])


class Rest:
    """A prompt's last tokens: one CUDA graph prefills them behind what the cache holds, of which there is a copy."""

    def __init__(self, engine: Engine, prompt: torch.Tensor) -> None:
        """The engine has just taken in the whole prompt."""
        self.engine, self.shape, device = engine, engine.shape, engine.device
        self.kept, self.tokens = len(prompt) - NEW, len(prompt)
        self.host_ids = prompt[self.kept :]
        self.ids = self.host_ids.to(device)
        # Of all layers: (layers, tokens, keys and then values of each head, head width).
        self.cached = engine.cache.tokens[:, 0, engine.cache.before + 1 :][:, : self.tokens]
        self.saved = self.cached[:, : self.kept].clone()
        sees = torch.arange(self.tokens, device=device) <= torch.arange(self.kept, self.tokens, device=device)[:, None]
        group = self.shape.heads // self.shape.kv_heads
        self.mask = torch.where(sees, 0.0, -torch.inf).to(engine.weights.dtype).repeat(group, 1)
        self.replay, self.logits = captured(self._prefill, device)

    def first_token(self) -> int:
        """Ids on the host to the answer's first id on the host."""
        self.ids.copy_(self.host_ids, non_blocking=True)
        self.replay()
        return int(self.engine.token[0].item())

    def first_token_when_restored(self) -> int:
        self.cached[:, : self.kept] = self.saved
        return self.first_token()

    def _prefill(self) -> torch.Tensor:
        engine, weights = self.engine, self.engine.weights
        x = F.embedding(self.ids, weights.embedding)
        cos, sin = engine.cos[self.kept : self.tokens], engine.sin[self.kept : self.tokens]
        for cached, w in zip(self.cached, weights.layers):
            x = fused_layer(x, w, cos, sin, self._attend(cached), self.shape)
        return engine.choose(x[-1:], engine.token)

    def _attend(self, cached: torch.Tensor) -> Callable[..., torch.Tensor]:
        """To all before and, causally, to themselves; SDPA's own masks begin at the first key."""
        kv_heads, width = self.shape.kv_heads, self.shape.head_dim
        keys, values = cached[:, :kv_heads], cached[:, kv_heads:]

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            keys[self.kept :], values[self.kept :] = k, v
            grouped = q.view(NEW, kv_heads, -1, width).permute(1, 2, 0, 3).reshape(kv_heads, -1, width)
            scores = torch.baddbmm(self.mask, grouped, keys.permute(1, 2, 0), alpha=width**-0.5)
            y = torch.bmm(torch.softmax(scores, -1), values.transpose(0, 1))
            return y.view(kv_heads, -1, NEW, width).permute(2, 0, 1, 3).reshape(NEW, -1)

        return attend

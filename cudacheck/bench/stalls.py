"""A fresh process until its first token, and then what lengths that are new cost it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Iterator

import torch

from cudacheck.bench.decoder import Weights
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.generation import Engine
from cudacheck.bench.sdpa import sdpa
from cudacheck.bench.step_rows import Bench, wall_ms
from cudacheck.bench.steps import Shape, ladder

LENGTHS = tuple(range(131, 251, 6))
"""Twenty, none of which the rows of step_rows.py meet."""
FIRST = 257
"""Tokens of the very first prompt."""
DECODED = 32
DECODED_FROM = 400
SETTINGS = {"default": "sdpa", "cudnn off": "cudnn-off"}
"""The row of the ladder that runs as each setting does."""


def measured(setting: str, device: torch.device, shape: Shape) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields of a ColdStart (all but `import_s`) and of a NewLengthStalls. Nothing may have used the GPU before."""
    if setting == "cudnn off":
        # As the remedy says, for the whole process; before PyTorch 2.5 there is nothing to switch off.
        getattr(torch.backends.cuda, "enable_cudnn_sdp", lambda _: None)(False)
    started = time.perf_counter()
    with torch.no_grad(), current(device):  # which makes the context, on any GPU but the first
        torch.zeros(1, device=device)
        wait_for(device)
        context_s = time.perf_counter() - started
        bench = Bench(device, shape)
        bench.require_room()
        weights_s = wall_ms(lambda: bench.weights_in(bench.half), device) / 1e3
        weights = bench.weights_in(bench.half)
        first = {"setting": setting, "context_s": context_s, "weights_s": weights_s, **_first_kernels(weights, device)}
        engine = Engine(weights, ladder(bench.half)[SETTINGS[setting]])
        prompt = bench.prompt(FIRST)
        yield (
            "ColdStart",
            {
                **first,
                "prefill_ms": wall_ms(lambda: engine.first_token(prompt), device),
                "again_ms": wall_ms(lambda: engine.first_token(prompt), device),
            },
        )
        yield "NewLengthStalls", {"setting": setting, **_new_lengths(engine, bench)}


def _first_kernels(weights: Weights, device: torch.device) -> dict[str, float]:
    shape = weights.shape
    x = weights.embedding[:100]
    q = x.new_ones(1, shape.heads, 16, shape.head_dim)
    return {
        "matmul_ms": wall_ms(lambda: x @ weights.layers[0].out, device),
        "attention_ms": wall_ms(lambda: sdpa(q, q, q, causal=True), device),
    }


def _new_lengths(engine: Engine, bench: Bench) -> dict[str, Any]:
    prompts = [bench.prompt(length) for length in LENGTHS]
    long = bench.prompt(DECODED_FROM)

    def first_tokens_ms() -> list[float]:
        return [wall_ms(partial(engine.first_token, prompt), bench.device) for prompt in prompts]

    def answer() -> None:
        for _ in range(DECODED):
            engine.step()
            engine.token[0].item()

    def decode_ms() -> float:
        engine.prefill(long)
        return wall_ms(answer, bench.device)

    return {
        "first_ms": first_tokens_ms(),
        "again_ms": first_tokens_ms(),
        "decoded": DECODED,
        "decode_first_ms": decode_ms(),
        "decode_again_ms": decode_ms(),
    }

"""Your stack: the same shape through transformers, told what to do as its users tell it."""

from __future__ import annotations

import sys
from statistics import mean, median
from typing import Any, Iterator, NamedTuple, Sequence

import torch

from cudacheck.bench import qwen2
from cudacheck.bench.device import current
from cudacheck.bench.memory import let_go
from cudacheck.bench.step_rows import first_line, half_type
from cudacheck.bench.steps import Shape

TOKENS = 32
"""Of an answer, after its first."""
NEW_LENGTHS = (-28, -22, -16, -10, -5)
"""Longer than the usual prompt by so much, all shorter as in step_rows.py; a row adds its number, so that none meets
what an earlier one has met."""
WARM, STEADY, PASSES = 2, 5, 3


class Variant(NamedTuple):
    attention: str
    """transformers' attn_implementation."""
    cache: str
    """`dynamic`, `static`, or `compiled`: static as well, and generate compiles by itself."""
    what: str


VARIANTS = {
    "eager": Variant("eager", "dynamic", "eager attention, growing KV cache"),
    "sdpa": Variant("sdpa", "dynamic", "SDPA, growing KV cache"),
    "sdpa static cache": Variant("sdpa", "static", "SDPA, static KV cache, not compiled"),
    "flash-attention-2": Variant("flash_attention_2", "dynamic", "the flash_attn package, growing KV cache"),
    "sdpa static cache, compiled": Variant("sdpa", "compiled", "SDPA, static KV cache, compiled by generate"),
}
"""The rows, in order. The compiled one last: it takes the longest, and leaves the most behind."""


def measured(device: torch.device, shape: Shape, rows: Sequence[str] = tuple(VARIANTS)) -> Iterator[dict[str, Any]]:
    """The fields of a StepRow for each of these variants, as soon as they are known."""
    dtype = half_type(device)
    try:
        version = qwen2.imported().__version__
    except Exception as error:
        skipped = f"transformers does not import: {first_line(error)}"
        yield {"row": rows[0], "table": "stack", "dtype": dtype, "skipped": skipped}
        return
    for number, (row, variant) in enumerate(VARIANTS.items()):
        if row not in rows:
            continue
        what = f"transformers {version}: {dtype}, {variant.what}"
        told = outcome_of(variant, number, device, shape, dtype)
        yield {"row": row, "table": "stack", "dtype": dtype, "what": what, **told}


def outcome_of(variant: Variant, number: int, device: torch.device, shape: Shape, dtype: str) -> dict[str, Any]:
    """What a variant measured, or why it did not; whatever it raised, its memory is free again."""
    try:
        reason = qwen2.why_not(variant.attention, variant.cache, device)
        if reason:
            return {"skipped": reason}
        with torch.no_grad(), current(device):
            return measure(variant, number, device, shape, dtype)
    except Exception as error:
        return {"error": first_line(error)}
    finally:
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()
        let_go(device)


def measure(variant: Variant, number: int, device: torch.device, shape: Shape, dtype: str) -> dict[str, Any]:
    """The first call, new lengths, then steady ones. The long prompt comes last: it makes a static cache grow, and
    what was compiled for the smaller one would be compiled again.
    """
    model = qwen2.built(variant.attention, device, shape, dtype)
    weights_bytes = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    asked = qwen2.asked_of_generate(variant.cache)
    random = torch.Generator().manual_seed(number)

    def answer(length: int, tokens: int = 1) -> list[float]:
        ids = torch.randint(shape.vocabulary, (1, length), generator=random)
        return qwen2.answered(model, ids, tokens, asked)

    first = answer(shape.prompt, 1 + TOKENS)
    new = [answer(shape.prompt + more + number)[0] for more in NEW_LENGTHS]
    steady = [answer(shape.prompt)[0] for _ in range(WARM + STEADY)][WARM:]
    passes = [inter_token_ms(answer(shape.prompt, 1 + TOKENS)) for _ in range(1 + PASSES)][1:]
    long = [answer(shape.long_prompt)[0] for _ in range(1 + STEADY)]
    compiled = variant.cache == "compiled"
    return {
        "ttft_first_ms": first[0],
        "ttft_new_ms": median(new),
        "ttft_ms": median(steady),
        "ttft_long_first_ms": long[0],
        "ttft_long_ms": median(long[1:]),
        "itl_first_ms": None if compiled else inter_token_ms(first),
        "itl_ms": median(passes),
        "itl_spread_rel": (max(passes) - min(passes)) / median(passes),
        "compile_s": first[-1] / 1e3 if compiled else None,
        "weights_bytes": weights_bytes,
        "peak_bytes": torch.cuda.max_memory_allocated(device) - weights_bytes if device.type == "cuda" else None,
    }


def inter_token_ms(seen: list[float]) -> float:
    return mean(after - before for before, after in zip(seen, seen[1:]))

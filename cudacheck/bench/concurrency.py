"""Three requests that arrive together, served in four ways by the decoder that serves one best."""

from __future__ import annotations

from functools import partial
from statistics import mean
from typing import Any, Callable, Dict, Iterator, Sequence

import torch

from cudacheck.bench.decoder import Weights
from cudacheck.bench.device import current
from cudacheck.bench.generation import Engine
from cudacheck.bench.memory import DoesNotFitError, let_go, require_free
from cudacheck.bench.serving import Round, batched, by_threads, forced_logits, one_after_another, tokens_each
from cudacheck.bench.serving_processes import DiedError, by_processes
from cudacheck.bench.step_rows import LARGEST_ERROR, Bench, first_line, worst_error
from cudacheck.bench.steps import BEST, Options, Shape, ladder

Row = Dict[str, Any]
"""Fields of a Concurrency (cudacheck/probes/patient/bench_steps.py)."""
Prompts = Sequence[torch.Tensor]

REQUESTS = 3
IN_ONE_PROCESS = {"one after another": one_after_another, "batched": batched, "threads": by_threads}
BESIDE_WEIGHTS = 2 << 30
"""What a process takes on the GPU besides them: a context, cuBLAS's workspace, a cache, graphs."""


def measured(device: torch.device, shape: Shape) -> Iterator[Row]:
    """Each mode in turn. Answers are compared with those of the first, where a request has the engine to itself."""
    about: Row = {"requests": REQUESTS, "tokens": tokens_each(shape)}
    with torch.no_grad(), current(device):
        bench = Bench(device, shape)
        options = ladder(bench.half)[BEST]
        prompts = [bench.prompt(shape.prompt, seed) for seed in range(REQUESTS)]
        weights = bench.weights_in(bench.half)
        alone: list[list[int]] = []
        for mode, serve in IN_ONE_PROCESS.items():
            row, rounds = outcome_of(partial(serve, weights, options, prompts), device)
            alone = alone or [answer.tokens for each in rounds[:1] for answer in each]
            row["same_tokens"] = are_as_alone(rounds, alone)
            if mode == "batched" and row["same_tokens"] is False and is_rounding(weights, options, prompts, alone):
                row["same_tokens"] = None
            yield {"mode": mode, **about, **row}
        del bench, weights  # three processes need the room
        row, rounds = in_processes(device, shape, options, prompts)
        yield {"mode": "processes", **about, **row, "same_tokens": are_as_alone(rounds, alone)}


def outcome_of(serve: Callable[[], list[Round]], device: torch.device) -> tuple[Row, list[Round]]:
    """What a way to serve took, or what it raised."""
    let_go(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        rounds = serve()
    except Exception as error:
        return {"error": first_line(error)}, []
    peak_bytes = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {**times(rounds), "peak_bytes": peak_bytes}, rounds


def in_processes(device: torch.device, shape: Shape, options: Options, prompts: Prompts) -> tuple[Row, list[Round]]:
    """As outcome_of; with as many copies of the weights as requests, which must fit."""
    let_go(device)
    needed = len(prompts) * (2 * shape.parameters + BESIDE_WEIGHTS)
    try:
        require_free(needed, device)
        served = by_processes(device, shape, options, prompts)
    except DoesNotFitError as reason:
        return {"skipped": f"each process has the weights: {reason}"}, []
    except DiedError as error:
        return {"error": str(error)}, []
    except OSError as error:
        return {"error": first_line(error)}, []
    return {**times(served.rounds), "peak_bytes": served.peak_bytes or None}, served.rounds


def times(rounds: Sequence[Round]) -> Row:
    """Of the round that took the middle time."""
    middle = sorted(rounds, key=_makespan_ms)[len(rounds) // 2]
    return {
        "makespan_ms": _makespan_ms(middle),
        "ttft_mean_ms": mean(answer.first_ms for answer in middle),
        "ttft_max_ms": max(answer.first_ms for answer in middle),
        "tokens_per_s": sum(len(answer.tokens) for answer in middle) / _makespan_ms(middle) * 1e3,
    }


def _makespan_ms(answers: Round) -> float:
    return max(answer.last_ms for answer in answers)


def are_as_alone(rounds: Sequence[Round], alone: list[list[int]]) -> Any:
    """None where there is nothing to compare."""
    if not rounds or not alone:
        return None
    return all([answer.tokens for answer in answers] == alone for answers in rounds)


def is_rounding(weights: Weights, options: Options, prompts: Prompts, alone: list[list[int]]) -> bool:
    """Whether a batch computes what single requests do, but for rounding: given the same tokens, the same logits.

    Other shapes have other kernels, and a random model's two best tokens are often so near that rounding decides.
    """
    batch, single = Engine(weights, options, slots=len(prompts)), Engine(weights, options)
    expected = torch.cat([forced_logits(single, [ids], [tokens]) for ids, tokens in zip(prompts, alone)])
    return worst_error(forced_logits(batch, prompts, alone), expected) <= LARGEST_ERROR

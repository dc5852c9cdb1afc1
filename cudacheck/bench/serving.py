"""Serves requests that arrive together in one process: one after another, batched, or by a thread each."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, NamedTuple, Sequence

import torch

from cudacheck.bench.decoder import Weights
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.generation import Engine, generated
from cudacheck.bench.sdpa import without_cudnn
from cudacheck.bench.steps import Options, Shape

ROUNDS = 3
"""All requests arrive anew, after a round that warms up."""
WAIT_S = 45.0
"""The longest that one request waits for the others to be ready."""


class Reply(NamedTuple):
    """To one request; times in ms from the arrival."""

    tokens: list[int]
    first_ms: float
    last_ms: float


Round = List[Reply]
"""To all requests, in their order."""


def tokens_each(shape: Shape) -> int:
    """Of each answer: a quarter of the ladder's, so that each mode takes about as long as a row."""
    return shape.answer // 4


def answer(engine: Engine, ids: torch.Tensor, arrived: float) -> Reply:
    """Each token is read by the host as it comes: somebody waits for it."""
    coming = generated(engine, ids, tokens_each(engine.shape))
    first = next(coming)
    first_ms = _ms_since(arrived)
    tokens = [first, *coming]
    return Reply(tokens, first_ms, _ms_since(arrived))


def _ms_since(moment: float) -> float:
    return (time.perf_counter() - moment) * 1e3


def one_after_another(weights: Weights, options: Options, prompts: Sequence[torch.Tensor]) -> list[Round]:
    engine = Engine(weights, options)
    rounds = []
    for _ in range(1 + ROUNDS):
        wait_for(weights.device)
        arrived = time.perf_counter()
        rounds.append([answer(engine, ids, arrived) for ids in prompts])
    return rounds[1:]


def batched(weights: Weights, options: Options, prompts: Sequence[torch.Tensor]) -> list[Round]:
    """Prompts one after another, then a token of every answer at a time: as servers with continuous batching do."""
    engine = Engine(weights, options, slots=len(prompts))
    return [_batch(engine, prompts) for _ in range(1 + ROUNDS)][1:]


def _batch(engine: Engine, prompts: Sequence[torch.Tensor]) -> Round:
    wait_for(engine.device)
    arrived = time.perf_counter()
    firsts, firsts_ms = [], []
    for slot, ids in enumerate(prompts):
        firsts.append(engine.first_token(ids, slot))
        firsts_ms.append(_ms_since(arrived))
    tokens = [firsts]
    while len(tokens) < tokens_each(engine.shape):
        engine.step()
        tokens.append(engine.token.tolist())
    last_ms = _ms_since(arrived)
    return [Reply(list(of_one), first_ms, last_ms) for of_one, first_ms in zip(zip(*tokens), firsts_ms)]


def by_threads(weights: Weights, options: Options, prompts: Sequence[torch.Tensor]) -> list[Round]:
    """Each thread with a stream, a cache and CUDA graphs of its own."""
    arrivals: list[float] = []
    together = threading.Barrier(len(prompts), action=lambda: arrivals.append(time.perf_counter()))
    one_captures = threading.Lock()

    def serve(ids: torch.Tensor) -> list[Reply]:
        try:
            with torch.no_grad(), current(weights.device), _stream(weights.device):
                # Captured in the thread that replays it: a thread has a cuBLAS handle, and so a workspace, of its own.
                with one_captures:
                    engine = Engine(weights, options)
                    answer(engine, ids, time.perf_counter())
                    wait_for(weights.device)
                answers = []
                for number in range(ROUNDS):
                    together.wait(WAIT_S)
                    answers.append(answer(engine, ids, arrivals[number]))
                return answers
        except Exception:
            together.abort()  # nobody waits for a request that failed
            raise

    wait_for(weights.device)
    # Engines switch cuDNN off and on again for the whole process; within this they find it off, and leave it so.
    with without_cudnn(), ThreadPoolExecutor(len(prompts)) as pool:
        served = [pool.submit(serve, ids) for ids in prompts]
    errors = [error for error in (future.exception() for future in served) if error]
    if errors:  # that of a thread which failed by itself, and not of those that it left waiting
        raise min(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError))
    return [list(of_all) for of_all in zip(*(future.result() for future in served))]


def _stream(device: torch.device) -> Any:
    """A stream of its own for what is queued within; on the CPU there is nothing to choose."""
    return torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else contextlib.nullcontext()


def forced_logits(engine: Engine, prompts: Sequence[torch.Tensor], answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """The last logits, (prompts, vocabulary), when these answers are what was chosen, whatever it would have been."""
    for slot, ids in enumerate(prompts):
        engine.prefill(ids, slot)
    for column in zip(*(tokens[:-1] for tokens in answers)):
        engine.token.copy_(torch.tensor(column))
        logits = engine.step()
    return logits.float().clone()

"""Times one call: warm up until it has settled, then sample until the median stands still."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Sequence

import torch

from cudacheck.bench.samplers import Call, Chunk, ClockBrokenError, Sampler, event_sampler, graph_sampler, wall_sampler
from cudacheck.bench.stats import Summary, median, summarize

GRAPH_BELOW_US = 20.0
"""Shorter calls are replayed from a CUDA graph: a pair of events would measure itself and the launch gaps."""
GRAPH_CALLS = 20
CHUNK_US = 40_000.0
"""The host waits for the GPU about this often. A GPU at its power limit clocks higher after every rest: chunks of
10 ms with 1.5 ms of spinning made an H200's matmul 10 % faster than back to back."""
MOST_PER_CHUNK = 200


@dataclass(frozen=True)
class Patience:
    """When a median is good enough, and when to stop asking for better."""

    budget_s: float = 0.3
    min_samples: int = 20
    max_samples: int = 5000
    min_s: float = 0.1
    """A GPU runs its first milliseconds faster than its power limit lets it go on."""
    ci95_rel: float = 0.005
    warm_up_s: float = 0.025
    longest_warm_up_s: float = 0.3
    settled_rel: float = 0.02


AT_THE_POWER_LIMIT = Patience(warm_up_s=0.3, longest_warm_up_s=0.4, min_s=0.3, budget_s=0.6)
"""An H200's 16-bit matmul is up to 12 % faster in its first 0.3 s; then the medians of 0.3 s in six fresh processes
lay within 0.7 % (bfloat16) and 2 % (float16)."""

A_LOOK = Patience(budget_s=0.08, min_samples=10, min_s=0.02, ci95_rel=0.02, warm_up_s=0.01, longest_warm_up_s=0.08)
"""What tells fast from slow, not 5 % from 10 %: the doctor's. What looks slow is measured again before it is told."""


@dataclass(frozen=True)
class Timing:
    summary: Summary
    method: str
    """`events`, `graph` or `wall`."""
    converged: bool
    """The interval became as narrow as asked for; False when the budget was up first."""
    clock_mhz: float | None
    discarded: int
    """Samples left out because the clock had dropped for a moment."""


def time_call(call: Call, device: torch.device, rotation: int, patience: Patience) -> Timing:
    """Time a call that takes its inputs in turn from so many sets."""
    if device.type != "cuda":
        return by_wall_clock(call, device, patience)
    try:
        sample = event_sampler(call, device)
        sample(1)
        us = min(sample(3).us)
        if us >= GRAPH_BELOW_US:
            return settle("events", sample, us, patience)
        calls = max(GRAPH_CALLS, rotation)
        try:
            replays = graph_sampler(call, calls, device)
        except RuntimeError:  # a call that cannot be captured is timed all the same; `method` tells
            return settle("events", sample, us, patience)
        return settle("graph", replays, us * calls, patience)
    except ClockBrokenError:
        return by_wall_clock(call, device, patience)


def by_wall_clock(call: Call, device: torch.device, patience: Patience) -> Timing:
    sample = wall_sampler(call, device)
    return settle("wall", sample, sample(1).us[0], patience)


def settle(method: str, sample: Sampler, sample_us: float, patience: Patience) -> Timing:
    """Warm up, then sample in chunks of some milliseconds until patience is satisfied or spent."""
    chunk_us = min(CHUNK_US, patience.budget_s * 1e6 / 4)
    per_chunk = int(min(max(chunk_us / sample_us, 1), MOST_PER_CHUNK))
    warm_up(sample, per_chunk, patience)
    started = time.perf_counter()
    chunks: list[Chunk] = []
    while True:
        chunks.append(sample(per_chunk))
        kept = without_clock_drops(chunks)
        summary = summarize([us for chunk in kept for us in chunk.us])
        elapsed_s = time.perf_counter() - started
        many = summary.count >= patience.max_samples
        converged = is_sure(summary, patience) and (many or elapsed_s >= patience.min_s)
        if converged or many or elapsed_s >= patience.budget_s:
            clocks = [chunk.clock_mhz for chunk in kept if chunk.clock_mhz is not None]
            discarded = sum(len(chunk.us) for chunk in chunks) - summary.count
            return Timing(summary, method, converged, median(clocks) if clocks else None, discarded)


def is_sure(summary: Summary, patience: Patience) -> bool:
    return (
        summary.count >= patience.min_samples and summary.ci95_rel is not None and summary.ci95_rel < patience.ci95_rel
    )


def warm_up(sample: Sampler, per_chunk: int, patience: Patience) -> None:
    """Run chunks until two in a row agree: clocks take tens of milliseconds to rise."""
    started = time.perf_counter()
    previous = 0.0
    while True:
        current = median(sample(per_chunk).us)
        elapsed = time.perf_counter() - started
        settled = abs(current - previous) < patience.settled_rel * current
        if (settled and elapsed >= patience.warm_up_s) or elapsed >= patience.longest_warm_up_s:
            return
        previous = current


def without_clock_drops(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks whose clock was not far below the usual one.

    Against the median and not, as NVIDIA's nvbench has it, the nominal clock: an H200 at its power limit runs
    a matmul at 72 % of its highest clock, and that is what it sustains.
    """
    clocks = [chunk.clock_mhz for chunk in chunks if chunk.clock_mhz is not None]
    if not clocks:
        return list(chunks)
    floor = 0.75 * median(clocks)
    return [chunk for chunk in chunks if chunk.clock_mhz is None or chunk.clock_mhz >= floor]


def within(patience: Patience, seconds: float) -> Patience:
    """The same patience, but never longer than that."""
    seconds = max(seconds, 0.0)
    return dataclasses.replace(
        patience,
        budget_s=min(patience.budget_s, seconds),
        longest_warm_up_s=min(patience.longest_warm_up_s, seconds),
    )

"""Samplers time repetitions of one call: by CUDA events, by replays of a CUDA graph, or by the host's clock."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any, Callable

import torch

from cudacheck.bench import clock
from cudacheck.bench.device import wait_for

Call = Callable[[int], Any]
"""What is timed; it is told the number of the repetition, so that it can take other inputs each time."""

SPIN_S = 0.0003
LONGEST_SPIN_S = 0.01
MOST_AHEAD = 50
"""Where the host is slower than the GPU: with several kernels a call, more overflow the launch queue of 1024."""


@dataclass(frozen=True)
class Chunk:
    """Repetitions timed without a pause between them."""

    us: tuple[float, ...]
    clock_mhz: float | None = None


Sampler = Callable[[int], Chunk]
"""Times so many further repetitions, or fewer if it must."""


class ClockBrokenError(Exception):
    """Events that end before they start: seen under confidential computing."""


def wall_sampler(call: Call, device: torch.device) -> Sampler:
    """The host's clock, each call waited for: on the CPU, and where events cannot be trusted."""
    numbers = itertools.count()

    def sample(count: int) -> Chunk:
        us = []
        for _ in range(count):
            started = time.perf_counter()
            call(next(numbers))
            wait_for(device)
            us.append((time.perf_counter() - started) * 1e6)
        return Chunk(tuple(us))

    return sample


def event_sampler(call: Call, device: torch.device) -> Sampler:
    """A pair of CUDA events round each call, all of a chunk queued before the host waits.

    The device must be the current one. A spinning kernel holds it for as long as the host needs to stay ahead.
    """
    numbers = itertools.count()
    behind_s = 0.0  # how much longer the host took to queue a call of the last chunk than the GPU to run it

    def sample(count: int) -> Chunk:
        nonlocal behind_s
        if behind_s:
            count = min(count, MOST_AHEAD)
        pairs = [clock.timed_events() for _ in range(count)]
        before = clock.spin(min(SPIN_S + 1.5 * behind_s * count, LONGEST_SPIN_S))
        started = time.perf_counter()
        for start, end in pairs:
            start.record()
            call(next(numbers))
            end.record()
        queueing_s = (time.perf_counter() - started) / count
        after = clock.spin(SPIN_S)
        wait_for(device)
        us = tuple(start.elapsed_time(end) * 1e3 for start, end in pairs)
        if min(us) <= 0:
            raise ClockBrokenError
        behind_s = max(queueing_s - min(us) / 1e6, 0.0)
        seen = [mhz for mhz in (clock.mhz(before), clock.mhz(after)) if mhz is not None]
        return Chunk(us, sum(seen) / len(seen) if seen else None)

    return sample


def graph_sampler(call: Call, calls: int, device: torch.device) -> Sampler:
    """That many calls captured in one CUDA graph: neither Python nor launches are in the time of a replay."""
    graph = torch.cuda.CUDAGraph()
    # PyTorch's own capture stream is one for the whole process, on the GPU that captured first: on a second GPU
    # nothing would be captured, and a replay of nothing takes no time.
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):
        for number in range(calls):
            call(number)
    replay = event_sampler(lambda _: graph.replay(), device)

    def sample(count: int) -> Chunk:
        chunk = replay(count)
        return Chunk(tuple(us / calls for us in chunk.us), chunk.clock_mhz)

    return sample

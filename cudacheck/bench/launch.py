"""What a kernel costs before it computes anything: the host's launch, an event pair, a graph's node, a wait."""

from __future__ import annotations

import time
from typing import Any, Callable

import torch

from cudacheck.bench import clock
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.samplers import graph_sampler
from cudacheck.bench.stats import median

NODES = 100
CHUNKS = 5
CHUNK_S = 0.02
"""A thread that holds Python's lock lets it go every 5 ms: what is shorter would not meet it. The launch queue of
1024 does not fill meanwhile: the GPU is quicker with such a kernel than the host."""


def overheads(device: torch.device) -> dict[str, Any]:
    """The fields of a LaunchOverhead, each a median, in microseconds; None where it could not be had."""
    with torch.no_grad(), current(device):
        small = torch.ones(1024, device=device)
        small.add_(1.0)  # loads the kernel
        return {
            "launch_us": _launch_us(small, device),
            "event_pair_us": _told(lambda: _event_pair_us(device)),
            "graph_node_us": _told(lambda: _graph_node_us(small, device)),
            "synchronize_us": median([_seconds(small[0].item) * 1e6 for _ in range(CHUNKS)]),
        }


def _launch_us(small: torch.Tensor, device: torch.device) -> float:
    """The median over chunks of the mean over each."""
    means = []
    for _ in range(CHUNKS):
        wait_for(device)
        launches, started = 0, time.perf_counter()
        while time.perf_counter() - started < CHUNK_S:
            for _ in range(100):
                small.add_(1.0)
            launches += 100
        means.append((time.perf_counter() - started) / launches * 1e6)
    wait_for(device)
    return median(means)


def _event_pair_us(device: torch.device) -> float:
    clock.spin(0.001)  # the host must stay ahead, or the launch gap is what is timed
    pairs = [clock.timed_events() for _ in range(50)]
    for start, end in pairs:
        start.record()
        end.record()
    wait_for(device)
    return median([start.elapsed_time(end) * 1e3 for start, end in pairs])


def _graph_node_us(small: torch.Tensor, device: torch.device) -> float:
    sample = graph_sampler(lambda _: small.add_(1.0), NODES, device)
    sample(1)
    return median(sample(CHUNKS).us)


def _told(measure: Callable[[], float]) -> float | None:
    """What cannot be captured or timed here is None."""
    try:
        return measure()
    except (RuntimeError, AttributeError):
        return None


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

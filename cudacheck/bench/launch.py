"""What a kernel costs before it computes anything: the host's launch, an event pair, a graph's node, a wait."""

from __future__ import annotations

import time
from typing import Any, Callable

import torch

from cudacheck.bench import clock
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.samplers import graph_sampler
from cudacheck.bench.stats import median

LAUNCHES = 100
"""Far fewer than the launch queue of 1024 holds: the host must never wait for the GPU."""
CHUNKS = 11
LONGEST_S = 0.5
"""Where a launch takes milliseconds, fewer chunks tell as much."""


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
    def launches() -> None:
        for _ in range(LAUNCHES):
            small.add_(1.0)

    chunks: list[float] = []
    while len(chunks) < CHUNKS and sum(chunks) < LONGEST_S:
        wait_for(device)
        chunks.append(_seconds(launches))
    wait_for(device)
    return median(chunks) / LAUNCHES * 1e6


def _event_pair_us(device: torch.device) -> float:
    clock.spin(0.001)  # the host must stay ahead, or the launch gap is what is timed
    pairs = [clock.timed_events() for _ in range(50)]
    for start, end in pairs:
        start.record()
        end.record()
    wait_for(device)
    return median([start.elapsed_time(end) * 1e3 for start, end in pairs])


def _graph_node_us(small: torch.Tensor, device: torch.device) -> float:
    sample = graph_sampler(lambda _: small.add_(1.0), LAUNCHES, device)
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

"""Is the GPU ours alone? Spins of a millisecond take longer where it is shared in time slices."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from cudacheck.bench import clock
from cudacheck.bench.device import current, wait_for
from cudacheck.bench.stats import median, summarize

SPIN_S = 0.001
WARM = 25
"""An idle GPU needs tens of milliseconds to raise its clock."""
COUNT = 40


@dataclass(frozen=True)
class Spins:
    count: int
    median_us: float
    p95_us: float
    mad_rel: float
    """Median absolute deviation over the median."""
    queue_us: float
    """The host's time to queue one: an event, the spin, an event; the median."""


def spins(device: torch.device) -> Spins | None:
    """Time a burst of spins; None where this PyTorch cannot spin, or the context is broken.

    A time slice is milliseconds long: beside another process some spins take two or more of them.
    """
    try:
        with current(device):
            spun, queued = [], [time.perf_counter()]
            for _ in range(WARM + COUNT):
                spun.append(clock.spin(SPIN_S))
                queued.append(time.perf_counter())
            wait_for(device)
    except RuntimeError:
        return None
    us = [start.elapsed_time(end) * 1e3 for start, end, _ in filter(None, spun[WARM:])]
    if not us:
        return None
    summary = summarize(us)
    deviation = median([abs(sample - summary.median) for sample in us])
    return Spins(
        count=len(us),
        median_us=summary.median,
        p95_us=summary.p95,
        mad_rel=deviation / summary.median if summary.median > 0 else 0.0,
        queue_us=median([(after - before) * 1e6 for before, after in zip(queued, queued[1:])]),
    )

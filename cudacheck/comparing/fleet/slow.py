"""GPUs that are slower than their kind: far below the median of all that ran the same case.

A GPU is told where it is more than K robust standard deviations (1.4826 times the median absolute deviation) and more
than LEAST_BELOW below the median. The more there are to be looked at, the farther out chance alone puts one: beyond a
few thousand, K grows so that none of them is expected to be named in a healthy fleet.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cudacheck.comparing.fleet.summary import NodeSummary, Timed

LEAST_GPUS = 5
K = 5.0
LEAST_BELOW = 0.05
CHANCE = 0.01
"""Of naming a healthy GPU in a whole fleet, were their scatter a normal one."""
OF_NORMAL = 1.4826
"""The standard deviation of a normal scatter, over its median absolute deviation."""


@dataclass(frozen=True)
class SlowGpu:
    node: str
    gpu: int
    case: str
    found: str
    """`480 TFLOP/s`"""
    expected: str
    below: float
    """The median, as a share of it."""


@dataclass(frozen=True)
class Resolution:
    """From how far below the median on a GPU is named."""

    case: str
    gpus: int
    median: str
    below: float | None
    """None: too few GPUs to tell."""


def slow_gpus(nodes: Sequence[NodeSummary]) -> tuple[list[SlowGpu], list[Resolution]]:
    """Of one group, the worst first; and how fine each case tells."""
    cases: dict[str, list[tuple[NodeSummary, Timed]]] = {}
    for node in nodes:
        for timed in node.timed:
            cases.setdefault(timed.case, []).append((node, timed))
    k = quantile(sum(len(timed.us) for rows in cases.values() for _, timed in rows))
    found: list[SlowGpu] = []
    told: list[Resolution] = []
    for case, rows in cases.items():
        rates = [1 / us for _, timed in rows for us in timed.us.values()]
        median = statistics.median(rates)
        words = rows[0][1].spoken(1 / median)
        if len(rates) < LEAST_GPUS:
            told.append(Resolution(case, len(rates), words, None))
            continue
        spread = OF_NORMAL * statistics.median(abs(rate - median) for rate in rates)
        below = max(LEAST_BELOW, k * spread / median)
        told.append(Resolution(case, len(rates), words, round(below, 4)))
        for node, timed in rows:
            for gpu, us in timed.us.items():
                share = 1 - 1 / us / median
                if share > below:
                    found.append(SlowGpu(node.node, gpu, case, timed.spoken(us), words, round(share, 4)))
    return sorted(found, key=lambda gpu: -gpu.below), told


def quantile(values: int) -> float:
    """How many standard deviations off the farthest of so many is by chance; K at least.

    >>> quantile(1000), round(quantile(1_000_000), 1)
    (5.0, 5.6)
    """
    return max(K, -statistics.NormalDist().inv_cdf(CHANCE / max(values, 1)))

"""The median of timings and how sure it is; no distribution is assumed, for timings have long tails."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Sequence


@dataclass(frozen=True)
class Summary:
    count: int
    median: float
    minimum: float
    p05: float
    p95: float
    ci95_rel: float | None
    """Half-width of the median's 95 % interval over the median; None below six samples: there is none.

    It speaks of this run: at a GPU's power limit the medians of two runs differ by a few percent.
    """
    drift_rel: float | None
    """Median of the last fifth over that of the first fifth, less one; None below twenty samples."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the ordered samples lies, linear between neighbours.

    >>> quantile([1.0, 2.0, 4.0], 0.75)
    3.0
    """
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(samples: Sequence[float]) -> float:
    return quantile(sorted(samples), 0.5)


@lru_cache(maxsize=None)
def median_interval(count: int) -> tuple[int, int] | None:
    """Which two of that many ordered samples (counted from 0) enclose the true median in 95 of 100 cases.

    The number of samples below the median is binomial with probability one half, whatever the distribution.

    >>> median_interval(5), median_interval(6), median_interval(20)
    (None, (0, 5), (5, 14))
    """
    chosen = 1  # count over rank
    outside = 1  # times 2**-count: the probability that fewer than `rank` samples lie below the median
    rank = 0
    while outside * 40 <= 2**count:
        rank += 1
        chosen = chosen * (count - rank + 1) // rank
        outside += chosen
    return (rank - 1, count - rank) if rank else None


def summarize(samples: Sequence[float]) -> Summary:
    """What is told of samples taken in this order."""
    ordered = sorted(samples)
    middle = quantile(ordered, 0.5)
    interval = median_interval(len(ordered))
    fifth = len(samples) // 5
    return Summary(
        count=len(samples),
        median=middle,
        minimum=ordered[0],
        p05=quantile(ordered, 0.05),
        p95=quantile(ordered, 0.95),
        ci95_rel=(ordered[interval[1]] - ordered[interval[0]]) / 2 / middle if interval else None,
        drift_rel=median(samples[-fifth:]) / median(samples[:fifth]) - 1 if fifth >= 4 else None,
    )

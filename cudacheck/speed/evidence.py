"""What decides an axis, in words: speeds and their shares, doubts, and what the siblings do."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.report import Axis, Health
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import peaks
from cudacheck.speed.runs import GpuRun, disturbed_by, excuse, spoken, starved

BELOW_SIBLINGS = 0.92
"""GPUs of one node differ by 5 % (stas00/ml-engineering)."""
IMPOSSIBLE_SHARE = 1.2
"""Of any peak; overclocked boards reach 1.05. What is faster was not timed."""


def axis(run: GpuRun, name: str, health: Health, *reasons: str, shares: dict[str, float] | None = None) -> Axis:
    """Reasons that are empty are none."""
    return Axis(run.device.index, name, health, tuple(filter(None, reasons)), shares or {})


def doubt(run: GpuRun, *rows: Measurement | None) -> str:
    """Why a slow result convicts nobody; empty where it does."""
    for row in rows:
        if row and row.method != "graph" and starved(run, row.median_us):
            return f"the host needs {run.launch_us or 0:.0f} µs for a launch, so the GPU waited for it"
    for row in rows:
        if row and not row.converged:
            return f"{spoken(row)} did not settle"
    return excuse(run)


def is_believed(run: GpuRun, kind: kinds.CaseKind) -> bool:
    """Whether the times of this kind say how fast the GPU was then, be that what it should be or not."""
    rows = [row for row in run.rows if row.case == kind.name and row.median_us]
    return not disturbed_by(run) and not any(doubt(run, row) or impossible(peaks.shares(run, row)) for row in rows)


def impossible(shares: dict[str, float]) -> str:
    """A timing that says more than the GPU can do; empty where none does."""
    if max(shares.values(), default=0) > IMPOSSIBLE_SHARE:
        return "faster than this GPU can be: the timing is not believed"
    return ""


def speed(run: GpuRun, row: Measurement) -> str:
    """`float16 8192³: 665 TFLOP/s, 67% of the datasheet, 86% of the peak at 1430 MHz`"""
    said = (
        f"{row.gb_per_s or 0:.0f} GB/s"
        if kinds.of(row.case).limited_by == "memory"
        else f"{row.tflops or 0:.0f} TFLOP/s"
    )
    words = {
        "datasheet": "of the datasheet",
        "clock": f"of the peak at {row.sm_clock_mhz or 0:.0f} MHz",
        "achieved": "of the best known",
    }
    shares = {} if row.case == kinds.ATTENTION.name else peaks.shares(run, row)
    parts = [f"{shares[name]:.0%} {what}" for name, what in words.items() if name in shares]
    return ", ".join([f"{spoken(row)}: {said}", *parts])


def against_siblings(run: GpuRun, found: Axis, row: Measurement, runs: Sequence[GpuRun]) -> Axis:
    """Degraded after all where the other GPUs of this model do better: the best test that needs no table."""
    others = [other for other in runs if other is not run and other.device.name == run.device.name]
    rows = [
        sibling
        for other in others
        if not disturbed_by(other) and (sibling := other.best(kinds.of(row.case), row.dtype))
    ]
    times = [sibling.median_us for sibling in rows if sibling.median_us and sibling.shape == row.shape]
    undecided = found.health in (Health.HEALTHY, Health.INCONCLUSIVE)
    if not undecided or not times or not row.median_us or disturbed_by(run):
        return found
    share = statistics.median(times) / row.median_us
    found = dataclasses.replace(found, shares={**found.shares, "siblings": share})
    if share >= BELOW_SIBLINGS:
        return found
    unsure = doubt(run, row)
    said = f"{1 - share:.0%} below its siblings ({spoken(row)})"
    return dataclasses.replace(
        found,
        health=found.health if unsure else Health.DEGRADED,
        reasons=(said, *filter(None, (unsure,)), *found.reasons),
    )

"""Do 16-bit matrix products use the tensor cores, and as well as they can?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.report import Axis, Health
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.speed import clocks, evidence, peaks
from cudacheck.speed.runs import GpuRun, capability_below, disturbed_by

GOOD_SHARE = 0.70
"""Of the peak at the measured clock; large products reach 0.7 to 0.9, and 1.0 on a GeForce (MAMF tables)."""
SLOW_SHARE = 0.45
LEAST_GAIN = 1.2
"""16-bit over float32: at least 2 on every GPU with tensor cores, whatever its power limit."""
CLEAR_GAIN = 2.4
WORST_FIRST = (Health.SLOW_PATH, Health.DEGRADED, Health.INCONCLUSIVE, Health.HEALTHY)


def axis(run: GpuRun, runs: Sequence[GpuRun]) -> Axis | None:
    """Both 16-bit types are judged, and the worse one decides."""
    halves = [row for dtype in ("float16", "bfloat16") if (row := run.best(kinds.MATMUL, dtype)) and row.tflops]
    if not halves:
        return None
    if peaks.matmul(run, halves[0]).no_tensor_cores:
        said = f"{evidence.speed(run, halves[0])}; this GPU has no tensor cores"
        return evidence.axis(run, "matmul", Health.HEALTHY, said)
    single = run.best(kinds.MATMUL, "float32")
    judged = [_judged(run, row, single) for row in halves if _has_type(run, row)]
    worst = min(judged, key=lambda found: WORST_FIRST.index(found.health), default=None)
    best = max(halves, key=lambda row: row.tflops or 0)
    return evidence.against_siblings(run, worst, best, runs) if worst else None


def _judged(run: GpuRun, row: Measurement, single: Measurement | None) -> Axis:
    said, shares = evidence.speed(run, row), peaks.shares(run, row)
    unbelievable = disturbed_by(run) or evidence.impossible(shares)
    if unbelievable:
        return evidence.axis(run, "matmul", Health.INCONCLUSIVE, unbelievable, said, shares=shares)
    gain = row.tflops / single.tflops if single and single.tflops and row.tflops else None
    if gain is not None:
        said += f"; {gain:.1f} times as fast as float32"
    convicts, share = peaks.matmul(run, row).convicts, shares.get("clock")
    no_gain = gain is not None and gain <= LEAST_GAIN
    if no_gain or (share is not None and share < SLOW_SHARE and convicts):
        unsure = evidence.doubt(run, row, single if no_gain else None)
        health = Health.INCONCLUSIVE if unsure else Health.SLOW_PATH
        return evidence.axis(run, "matmul", health, unsure, said, shares=shares)
    if share is not None and share >= GOOD_SHARE:
        health, why = clocks.of_a_low_share(run, row, shares)
        return evidence.axis(run, "matmul", health, why, said, shares=shares)
    if share is None and gain is not None and gain >= CLEAR_GAIN:
        return evidence.axis(run, "matmul", Health.HEALTHY, said, shares=shares)
    why = "between what healthy GPUs reach and what a wrong kernel does" if convicts else "no peak of this GPU is sure"
    return evidence.axis(run, "matmul", Health.INCONCLUSIVE, why, said, shares=shares)


def _has_type(run: GpuRun, row: Measurement) -> bool:
    """Before Ampere no tensor core takes bfloat16."""
    return row.dtype == "float16" or not capability_below(run.device, (8, 0))

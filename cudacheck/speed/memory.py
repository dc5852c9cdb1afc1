"""Is the GPU's memory as fast as its datasheet lets expect?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.report import Axis, Health
from cudacheck.speed import evidence, peaks
from cudacheck.speed.runs import GpuRun, disturbed_by

GOOD_SHARE = 0.75
"""Copy over the datasheet: an H200 reaches 0.88, DCGM's own kernel 0.61 to 0.88 on good units."""
SLOW_SHARE = 0.55


def axis(run: GpuRun, runs: Sequence[GpuRun]) -> Axis | None:
    row = run.best(kinds.COPY)
    if row is None or not row.gb_per_s:
        return None
    shares = peaks.shares(run, row)
    share, said = shares.get("datasheet"), evidence.speed(run, row)
    health, why = Health.HEALTHY, disturbed_by(run) or evidence.impossible(shares)
    if why:
        health = Health.INCONCLUSIVE
    elif share is None:
        health, why = Health.INCONCLUSIVE, "no bandwidth is known for this GPU"
    elif share < SLOW_SHARE:
        sure = run.model is not None and run.model.verified
        why = evidence.doubt(run, row) or ("" if sure else "the datasheet's figure for this GPU is not sure")
        health = Health.INCONCLUSIVE if why else Health.DEGRADED
    elif share < GOOD_SHARE:
        health, why = Health.INCONCLUSIVE, "between what healthy GPUs reach and what a sick one does"
    found = evidence.axis(run, "memory", health, why, said, shares=shares)
    return evidence.against_siblings(run, found, row, runs)

"""Does the host launch kernels as fast as the GPU wants them?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.report import Axis, Health
from cudacheck.speed import evidence
from cudacheck.speed.runs import GpuRun, blocking, excuse

SLOW_US = 20.0
"""An H200's host needs 6.5 to 9.7."""


def axis(run: GpuRun, _: Sequence[GpuRun] = ()) -> Axis | None:
    us = run.launch_us
    if us is None:
        return None
    said = f"the host needs {us:.1f} µs for a launch"
    if us <= SLOW_US:
        return evidence.axis(run, "launch", Health.HEALTHY, said)
    unsure = blocking(run) or excuse(run)
    return evidence.axis(run, "launch", Health.INCONCLUSIVE if unsure else Health.SLOW_PATH, unsure, said)

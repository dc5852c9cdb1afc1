"""What does the first attention at a sequence length cost over the second?"""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.bench import kinds
from cudacheck.model.report import Axis, Health
from cudacheck.speed import evidence
from cudacheck.speed.runs import GpuRun, disturbed_by

STALL_MS = 10.0
SETTLED_MS = 5.0
"""With cuDNN's attention off, an H200 needs 0.1."""


def axis(run: GpuRun, _: Sequence[GpuRun] = ()) -> Axis | None:
    own, without = extra_ms(run, "default"), extra_ms(run, "cudnn off")
    if not own:
        return None
    said = [f"{case.partition(' at ')[0]}: {extra:.1f} ms at each length that is new" for case, extra in own.items()]
    if disturbed := disturbed_by(run):
        return evidence.axis(run, "new lengths", Health.INCONCLUSIVE, disturbed, *said)
    stalled = {case for case, extra in own.items() if extra > STALL_MS}
    if not stalled:
        return evidence.axis(run, "new lengths", Health.HEALTHY, *said)
    if without:
        said.append(f"with cuDNN's attention off {max(without.values()):.1f} ms")
    if any(case in stalled and extra <= SETTLED_MS for case, extra in without.items()):
        return evidence.axis(run, "new lengths", Health.SLOW_PATH, *said)
    why = "new lengths stall without cuDNN's attention, too" if without else "nobody tried without cuDNN's attention"
    return evidence.axis(run, "new lengths", Health.INCONCLUSIVE, why, *said)


def extra_ms(run: GpuRun, backend: str) -> dict[str, float]:
    """By case, the lower of the attempts; each is a median over lengths of its own."""
    extra: dict[str, float] = {}
    for row in run.rows:
        if kinds.of(row.case) in kinds.NEW_LENGTHS and row.backend == backend and row.first_call_ms and row.median_us:
            ms = row.first_call_ms - row.median_us / 1e3
            extra[row.case] = min(ms, extra.get(row.case, ms))
    return extra

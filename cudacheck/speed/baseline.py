"""Is this run slower than an earlier one on the same GPU? In cycles, so that a cooler day does not decide."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence

from cudacheck.bench import kinds
from cudacheck.model import holds
from cudacheck.model.facts import Facts
from cudacheck.model.identity import Identity
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice

SLOWER_BY = 1.10
"""Medians of two healthy runs at the power limit differ by a few percent; nvbench asks for a clear gap, too."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One case of the report that `--baseline` named."""

    case: holds.Term
    dtype: holds.Term
    shape: holds.Term
    device_name: holds.Term
    device_uuid: holds.Uuid | None = None
    backend: holds.Term | None = None
    median_us: float | None = None
    ci95_rel: float | None = None
    sm_clock_mhz: float | None = None
    found_in: holds.FreeText = "--baseline"
    """The report's own date."""

    IDENTITY = Identity(never=True)


class Change(enum.StrEnum):
    SLOWER = "slower"
    SAME = "same"
    """Or faster."""
    AMBIGUOUS = "ambiguous"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One case now and then."""

    now: Measurement
    then: Baseline
    change: Change
    ratio: float
    """Time now over time then."""
    cycles_ratio: float | None
    """The same in cycles of the clock that was measured; None where a clock is not known."""


def baselines(facts: Facts, found_in: str) -> list[Baseline]:
    """What a saved report says, in the form that a new report keeps."""
    names = {device.index: device.name for device in facts.all(TorchDevice)}
    shared = [f.name for f in dataclasses.fields(Baseline) if f.name not in ("device_name", "found_in")]
    return [
        Baseline(
            **{name: getattr(row, name) for name in shared},
            device_name=names.get(row.device_index, ""),
            found_in=found_in,
        )
        for row in facts.all(Measurement)
        if row.median_us
    ]


def compare(rows: Sequence[Measurement], then: Sequence[Baseline], devices: Iterable[TorchDevice]) -> list[Comparison]:
    """Each case that both runs measured on the same GPU: by UUID, else by name."""
    names = {device.index: device.name for device in devices}
    found = []
    for row in rows:
        earlier = _same_case(row, names.get(row.device_index), then)
        # A first call at a length is the host's work, and is no steady time to compare.
        if earlier and row.median_us and earlier.median_us and kinds.of(row.case) not in kinds.NEW_LENGTHS:
            found.append(_compared(row, earlier))
    return found


def _same_case(row: Measurement, name: str | None, then: Sequence[Baseline]) -> Baseline | None:
    same = [b for b in then if (b.case, b.dtype, b.shape, b.backend) == (row.case, row.dtype, row.shape, row.backend)]
    by_uuid = [b for b in same if b.device_uuid and b.device_uuid == row.device_uuid]
    by_name = [b for b in same if name and b.device_name == name]
    return next(iter(by_uuid or by_name), None)


def _compared(now: Measurement, then: Baseline) -> Comparison:
    ratio = (now.median_us or 0) / (then.median_us or 1)
    clocks = (now.sm_clock_mhz, then.sm_clock_mhz)
    cycles_ratio = ratio * clocks[0] / clocks[1] if clocks[0] and clocks[1] else None
    if ratio <= SLOWER_BY or (cycles_ratio is not None and cycles_ratio <= SLOWER_BY):
        change = Change.SAME
    elif cycles_ratio is None or now.ci95_rel is None or then.ci95_rel is None or not now.converged:
        change = Change.AMBIGUOUS
    else:
        # The intervals are disjoint where the shorter's upper end lies below the longer's lower end.
        apart = (1 + then.ci95_rel) < min(ratio, cycles_ratio) * (1 - now.ci95_rel)
        change = Change.SLOWER if apart else Change.AMBIGUOUS
    return Comparison(now, then, change, ratio, cycles_ratio)

"""Two reports → what is otherwise, what of it matters first, and the likeliest reason that the second fails. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cudacheck.comparing import _order, _pairs, _reasons
from cudacheck.comparing._pairs import Changed, Side
from cudacheck.comparing.difference import Difference
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding
from cudacheck.model.report import ProbeRun, Report
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.speed import baseline
from cudacheck.speed.runs import spoken


@dataclass(frozen=True)
class LikelyReason:
    """A finding of the second report that the first does not have."""

    finding: Finding
    rests_on: tuple[Difference, ...] = ()
    """The differences without which it would not be found."""
    first_is_silent: bool = False
    """The first report does not say enough to know that it is not there, too."""


@dataclass(frozen=True)
class Diff:
    differences: tuple[Difference, ...]
    """What matters first: what a likely reason rests on, then from the driver to the results."""
    likely_reasons: tuple[LikelyReason, ...]
    only_first: tuple[Finding, ...]
    """Findings of the first report that the second does not have."""
    equal: int
    """Facts that are the same."""
    unknown: int
    """Facts of which only one report tells, while the other could not know."""

    @property
    def is_same(self) -> bool:
        return not self.differences and not self.likely_reasons and not self.only_first


def compare(a: Report, b: Report) -> Diff:
    """What is otherwise in the second report."""
    ours, theirs = _all_told(a), _all_told(b)
    changes, equal, unknown = _changes(ours, theirs)
    roots = _reasons.new_roots(a, b)
    tries = _reasons.Tries(ours, theirs)
    resting = [_reasons.resting_on(finding, ours, theirs, changes, tries) for finding in roots]
    shown = _in_order([change for change in changes if not change.aside], [c for some in resting for c in some])
    told = {id(change): difference for change, difference in shown}
    known = {finding.rule for finding in b.findings}
    return Diff(
        differences=tuple(difference for _, difference in shown),
        likely_reasons=tuple(
            LikelyReason(
                finding,
                tuple(told[id(change)] for change in some),
                _reasons.is_unchecked(finding, a) or _reasons.is_silent(finding, ours, theirs),
            )
            for finding, some in zip(roots, resting, strict=True)
        ),
        only_first=tuple(f for f in a.findings if f.rule not in known and not _reasons.is_unchecked(f, b)),
        equal=equal,
        unknown=unknown,
    )


def _all_told(report: Report) -> Facts:
    """With how the probes ended, which a report keeps beside its facts."""
    return report.facts.having(ProbeRun, report.probes, complete=True)


def _changes(a: Facts, b: Facts) -> tuple[list[Changed], int, int]:
    ours, theirs = Side(a), Side(b)
    _pairs.match_gpus(ours, theirs)
    found: list[Changed] = []
    equal = unknown = 0
    for kind in _order.kinds_of(a, b):
        these, same, not_known = _pairs.changes(kind, ours, theirs)
        found += these
        equal += same
        unknown += not_known
    return sorted([*found, *_speed(a, b)], key=_order.place), equal, unknown


def _speed(a: Facts, b: Facts) -> Iterator[Changed]:
    """What takes longer, or less long, than the intervals of both allow."""
    for slow, quick in ((b, a), (a, b)):
        timed = [row for row in quick.all(Measurement) if row.median_us]
        then = dict(zip(baseline.baselines(quick, ""), timed, strict=True))
        for found in baseline.compare(slow.all(Measurement), [*then], slow.all(TorchDevice)):
            if found.change is baseline.Change.SLOWER:
                before, after = (then[found.then], found.now) if slow is b else (found.now, then[found.then])
                which = f"GPU {found.now.device_index} {spoken(found.now)}"
                told = Difference("Measurement", which, "median_us", before.median_us, after.median_us)
                yield Changed(told, Measurement, before, after)


def _in_order(changes: list[Changed], resting: list[Changed]) -> list[tuple[Changed, Difference]]:
    """What reasons rest on first; what only shows another's version right behind that one."""
    kept = [*{id(change): change for change in (*changes, *resting)}.values()]
    leader = _order.leaders(kept)
    urgency = {id(change): number for number, change in reversed([*enumerate(resting)])}
    first = [_order.turn(change, urgency.get(id(change))) for change in kept]
    for follower, leading in leader.items():
        first[leading] = min(first[leading], first[follower])
    leading_of = [leader.get(number, number) for number in range(len(kept))]
    order = sorted(range(len(kept)), key=lambda n: (first[leading_of[n]], leading_of[n], n))
    return [(kept[n], _told(kept, leader, n)) for n in order]


def _told(changes: list[Changed], leader: dict[int, int], number: int) -> Difference:
    told = changes[number].told
    follows = changes[leader[number]].told.what if number in leader else ""
    return dataclasses.replace(told, follows=follows)


@dataclass(frozen=True)
class Labelled:
    label: str
    """As it was named: a file, `this machine`."""
    report: Report
    is_file: bool = False
    """It can be read a second time under that name."""


@dataclass(frozen=True)
class Diffs:
    """One report, and what is different in each of the others."""

    first: Labelled
    others: tuple[tuple[Labelled, Diff], ...]

    @property
    def is_same(self) -> bool:
        return all(diff.is_same for _, diff in self.others)


def compare_all(first: Labelled, others: Iterable[Labelled]) -> Diffs:
    return Diffs(first, tuple((other, compare(first.report, other.report)) for other in others))

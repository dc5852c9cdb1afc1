"""What of two reports is shown, and in which words: the same in every format for people."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from cudacheck.comparing.compare import Diff, Labelled, LikelyReason
from cudacheck.comparing.difference import Difference
from cudacheck.model.findings import Severity

MOST_SHOWN = 30
"""Differences, unless all are asked for."""
MOST_FOLDED = 2000
"""On a page, below those."""
MOST_FOLLOWING = 6


@dataclass(frozen=True)
class Row:
    """A difference, and in which other places the same shows."""

    told: Difference
    also: tuple[str, ...]

    @property
    def words(self) -> str:
        return "; also ".join(filter(None, (arrow(self.told), listed(self.also))))


def headline(diff: Diff) -> tuple[str, str]:
    """A mark and a line: whether anything is different at all."""
    known = f"; {diff.unknown} are known of one only" if diff.unknown else ""
    same = f"{_count(diff.equal, 'fact')} {'is' if diff.equal == 1 else 'are'} the same{known}"
    if diff.is_same:
        return ("?" if diff.unknown > diff.equal else "✓"), f"no difference in what both tell: {same}"
    told = [row for row in diff.differences if not row.follows]
    counted = f"{_count(len(told), 'difference')}, {_count(len(diff.differences) - len(told), 'more')} that follow"
    counted = counted if len(told) < len(diff.differences) else _count(len(told), "difference")
    failing = any(reason.finding.severity is Severity.ERROR for reason in diff.likely_reasons)
    return "✗" if failing else "!", f"{counted}: {same}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1 and what != 'more')}"


def rows(diff: Diff, *, verbose: bool) -> tuple[list[Row], int]:
    """The differences, those that follow from another beside it, and how many are left out."""
    found = [
        Row(told, tuple(other.what for other in diff.differences if other.follows == told.what))
        for told in diff.differences
        if not told.follows
    ]
    return (found, 0) if verbose else (found[:MOST_SHOWN], max(0, len(found) - MOST_SHOWN))


def arrow(told: Difference) -> str:
    """`580.65.06 → 535.129.03`; of lists only what was added or is gone."""
    gone, new = _changed(told)
    parts = [f"{word} {' '.join(some)}" for word, some in (("without", gone), ("also", new)) if some]
    return "; ".join(parts) or " → ".join(map(told.spoken, (told.expected, told.found)))


def sides(told: Difference) -> tuple[str, str]:
    """What either report says, for two columns; of lists only what the other does not hold."""
    gone, new = _changed(told)
    if gone or new:
        return _only(gone), _only(new)
    return told.spoken(told.expected), told.spoken(told.found)


def _only(some: Sequence[str]) -> str:
    return f"only here: {' '.join(some)}" if some else "nothing that is only here"


def _changed(told: Difference) -> tuple[list[str], list[str]]:
    """Of two lists what is gone, and what was added."""
    before, after = told.expected, told.found
    if not (isinstance(before, tuple) and isinstance(after, tuple) and before and after):
        return [], []
    gone = [str(one) for one in before if one not in after]
    return gone, [str(one) for one in after if one not in before]


def listed(names: Sequence[str]) -> str:
    left = len(names) - MOST_FOLLOWING
    return ", ".join(names[:MOST_FOLLOWING]) + (f" and {left} more" if left > 0 else "")


def resting(reason: LikelyReason) -> list[str]:
    """What the finding rests on, a line each; why there is none."""
    if reason.rests_on:
        return [f"{told.what}: {arrow(told)}" for told in reason.rests_on if not told.follows]
    if reason.first_is_silent:
        return ["what the first report does not tell"]
    return ["cannot tell: no difference that is known explains it"]


def title(named: Labelled) -> str:
    """`healthy.json (n01)`"""
    node = named.report.subject.node
    return f"{named.label} ({node})" if node else named.label


def to_ask(named: Labelled) -> str:
    """The command that tells what to do; empty for what cannot be read a second time."""
    return f"cudacheck doctor --from {shlex.quote(named.label)}" if named.is_file else ""

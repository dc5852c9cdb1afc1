"""A saved report beside the same facts judged today: what the rules of another day said otherwise."""

from __future__ import annotations

from collections.abc import Collection

from cudacheck.model.report import Report, State
from cudacheck.registry import rule

MOST_NAMED = 6
READY = (State.READY, State.READY_BUT)


def changed(stored: Report, today: Report, ignore: Collection[str] = ()) -> str:
    """In words: `driver-too-old is new, no-gpu is gone`; empty where both say the same. `ignore` as judging has it."""
    then, now = _severities(stored, ignore), _severities(today, ignore)
    told = [
        _said([name for name in now if name not in then], "new"),
        _said([name for name in then if name not in now], "gone"),
        _said([f"{name} ({now[name]})" for name in now if then.get(name, now[name]) != now[name]], "of another weight"),
    ]
    if not any(told) and (stored.verdict.state in READY) != (today.verdict.state in READY):
        told.append(f"{stored.verdict.state} became {today.verdict.state}")
    return ", ".join(filter(None, told))


def _severities(report: Report, ignore: Collection[str]) -> dict[str, str]:
    """Of each finding, by its id of today."""
    named = {finding.rule: str(finding.severity) for finding in report.findings}
    known = {asked: rule(asked) for asked in (*named, *ignore)}
    ids = {asked: found.id if found else asked for asked, found in known.items()}
    left_out = {ids[asked] for asked in ignore}
    return {ids[name]: severity for name, severity in named.items() if ids[name] not in left_out}


def _said(names: list[str], how: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{' '.join(names[:MOST_NAMED])}{more} {'are' if len(names) > 1 else 'is'} {how}"

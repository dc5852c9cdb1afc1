"""What is different, as `cudacheck diff --format json` prints it; docs/diff.schema.json describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from cudacheck.comparing.compare import Diff, Diffs, Labelled
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import State

SCHEMA_VERSION = "1.0"
"""Of this document: as of a report, fields are only added within a major."""


@dataclasses.dataclass(frozen=True)
class ReportLine:
    label: str
    node: str
    state: State
    headline: str
    same: int
    """Facts that are as in the first report; 0 for that one itself."""
    unknown: int
    """Facts of which only one of the two tells, while the other could not know."""


@dataclasses.dataclass(frozen=True)
class DifferenceLine:
    report: int
    """Which of `reports` is other than the first."""
    what: str
    """In words."""
    fact: str
    """The type, as in a report's `facts`."""
    which: str
    """Which of several; empty for what is one of a kind."""
    field: str
    """Empty: the whole fact is there in one of the two only."""
    expected: Any
    """The first report's; null: there is none."""
    found: Any
    follows: str
    """`what` of the difference that it follows from: the same version in another place."""


@dataclasses.dataclass(frozen=True)
class ReasonLine:
    report: int
    rule: str
    severity: Severity
    message: str
    rests_on: tuple[int, ...]
    """Numbers of `differences` without which it would not be found."""
    first_is_silent: bool
    """The first report does not say enough to know that it has no such finding."""


@dataclasses.dataclass(frozen=True)
class FindingLine:
    report: int
    rule: str
    severity: Severity
    message: str


@dataclasses.dataclass(frozen=True)
class DiffDocument:
    schema_version: str
    reports: tuple[ReportLine, ...]
    """The first is what the others are compared with."""
    differences: tuple[DifferenceLine, ...]
    """By report; what matters first."""
    likely_reasons: tuple[ReasonLine, ...]
    """By report: its findings that the first does not have, the likeliest first."""
    only_first: tuple[FindingLine, ...]
    """By report: findings of the first that this one does not have."""


def document(diffs: Diffs) -> DiffDocument:
    differences: list[DifferenceLine] = []
    reasons: list[ReasonLine] = []
    for number, (_, diff) in enumerate(diffs.others, 1):
        reasons += _reasons(number, diff, len(differences))
        differences += _differences(number, diff)
    return DiffDocument(
        schema_version=SCHEMA_VERSION,
        reports=(_line(diffs.first, None), *(_line(*other) for other in diffs.others)),
        differences=tuple(differences),
        likely_reasons=tuple(reasons),
        only_first=tuple(
            FindingLine(number, *_named(finding))
            for number, (_, diff) in enumerate(diffs.others, 1)
            for finding in diff.only_first
        ),
    )


def _line(named: Labelled, diff: Diff | None) -> ReportLine:
    report = named.report
    counts = (diff.equal, diff.unknown) if diff else (0, 0)
    return ReportLine(named.label, report.subject.node, report.verdict.state, report.verdict.headline, *counts)


def _differences(number: int, diff: Diff) -> Iterator[DifferenceLine]:
    for told in diff.differences:
        yield DifferenceLine(number, told.what, **dataclasses.asdict(told))


def _reasons(number: int, diff: Diff, before: int) -> Iterator[ReasonLine]:
    for reason in diff.likely_reasons:
        rests_on = tuple(before + diff.differences.index(told) for told in reason.rests_on)
        yield ReasonLine(number, *_named(reason.finding), rests_on, reason.first_is_silent)


def _named(finding: Finding) -> tuple[str, Severity, str]:
    return finding.rule, finding.severity or Severity.NOTE, finding.message


def json_schema() -> dict[str, Any]:
    """Generated from the types; docs/diff.schema.json is its copy."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(DiffDocument).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "title": f"cudacheck diff, schema {SCHEMA_VERSION}"}

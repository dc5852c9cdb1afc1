"""Whatever the outline knows stands in every format for people: none may leave out what another tells."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from cudacheck.model.facts import Facts
from cudacheck.model.findings import (
    Evidence,
    Finding,
    PossibleAnswer,
    Question,
    Remedy,
    Severity,
    Unchecked,
)
from cudacheck.model.report import Fulfilment, Outcome, ProbeRun, Report, RequirementResult, State, Verdict
from cudacheck.probes.messages import Contradiction, ErrorMessage
from cudacheck.render import as_text, outline
from cudacheck.render.outline import Outline, Root

PEOPLES = ("text", "markdown", "html")
LOST = ErrorMessage("no kernel image is available", "paste line 3")


def root(name: str, severity: Severity) -> Finding:
    evidence = tuple(Evidence(f"{name}-fact-{n}", f"{name}-found-in") for n in range(outline.MOST_EVIDENCE + 7))
    remedies = (
        Remedy(f"{name}-title", (f"{name}-command",), f"{name}-edit", needs_root=True, verify=f"{name}-verify"),
        Remedy(f"{name}-other-title", (f"{name}-other-command",)),
    )
    return Finding(f"{name}-message", evidence, remedies, (f"{name}-source",), severity, f"{name}-rule")


def explained(by: str) -> Finding:
    return Finding(f"{by}-explained", severity=Severity.ERROR, rule=f"{by}-consequence", caused_by=f"{by}-rule")


MANY = Finding("one-of-many", severity=Severity.WARNING, rule="many")
OPEN = Report(
    Verdict(State.NOT_PROVEN, "the-headline"),
    (root("first", Severity.WARNING), explained("first"), *[MANY] * outline.MOST_FINDINGS, root("note", Severity.NOTE)),
    (Unchecked("unchecked-rule", "unchecked-reason"),),
    (ProbeRun("a-probe", "a-group", Outcome.CRASHED, 1.25, "a-detail", "a-log"),),
    Facts([Contradiction("a-thing", "1.2.3", "4.5.6"), LOST]),
    questions=tuple(
        Question(f"question-{n}", (PossibleAnswer(f"says-{n}", f"would-be-{n}", "in words"),)) for n in (1, 2)
    ),
    requirements=tuple(
        RequirementResult(f"asked-{n}", state, f"there-is-{n}")
        for n, state in enumerate([*Fulfilment, *[Fulfilment.UNMET] * outline.MOST_REQUIREMENTS])
    ),
    seconds=1.5,
    knowledge_date="2026-01-02",
)
STOPPED = ProbeRun("late", "host", Outcome.SKIPPED, cut_short=True)
CUT_SHORT = dataclasses.replace(
    OPEN, verdict=Verdict(State.BROKEN, "first-message"), facts=Facts([STOPPED]), probes=(STOPPED,)
)


def of_roots(roots: tuple[Root, ...]) -> list[str]:
    told = []
    for one in roots:
        finding = one.finding
        told += [finding.message, finding.rule, outline.mark_of(finding), one.verify, *one.sources]
        told += [word for remedy in one.remedies for word in (remedy.title, *outline.to_type(remedy))]
        told += [word for other in one.explains for word in (other.rule, other.message)]
    return told


def of_faults(roots: tuple[Root, ...]) -> list[str]:
    evidence = [word for one in roots for piece in one.evidence for word in (piece.fact, piece.found_in)]
    return [*of_roots(roots), *evidence, *(f"and {one.more_evidence} more" for one in roots if one.more_evidence)]


WORDS: dict[str, Callable[[Any], list[str]]] = {
    "cut_short": lambda on: ["interrupted"] if on else [],
    "verdict": lambda verdict: [verdict.headline, outline.MARKS[verdict.state]] if verdict else [],
    "roots": of_faults,
    "more_roots": lambda left: [f"and {left} more findings"],
    "required": lambda rows: [w for one in rows for w in (one.spec, one.said, outline.REQUIREMENT_MARKS[one.state])],
    "more_required": lambda left: [f"and {left} more requirements"],
    "questions": lambda asked: [word for one in asked for word in (one.command, *outline.answers(one))],
    "ask_all": lambda lines: ["paste what this prints", *lines],
    "read": lambda parts: [*parts],
    "differing": lambda parts: [*parts],
    "notes": of_roots,
    "probes": lambda runs: [word for run in runs for word in (outline.ended(run), *outline.last_words(run))],
    "unchecked": lambda rules: [word for one in rules for word in (one.rule, one.reason)],
    "summary": lambda summary: summary.parts,
}
"""What of each field a reader is told."""


def words_in(told: str, name: str) -> str:
    """What a reader reads, in one line: no markup, nothing that only a program sees."""
    if name == "html":
        told = re.sub(r"<(script|style|title)\b.*?</\1>", " ", told, flags=re.DOTALL)
        told = html.unescape(re.sub(r"<[^>]*>", "", told))
    if name == "markdown":
        told = re.sub(r"\\(?=[^\w\s])", "", told)
    return " ".join(told.split())


@pytest.mark.parametrize("name", PEOPLES)
@pytest.mark.parametrize("report", [OPEN, CUT_SHORT], ids=["open", "cut short"])
def test_every_field_of_the_outline_is_told(report, name):
    told = words_in(as_text(report, name, verbose=True, width=120), name)
    shown = outline.of(report, verbose=True)
    for field in dataclasses.fields(Outline):
        for words in WORDS[field.name](getattr(shown, field.name)):
            assert " ".join(words.split()) in told, field.name


def test_the_examples_leave_no_field_empty():
    shown = [outline.of(report, verbose=True) for report in (OPEN, CUT_SHORT)]
    assert [f.name for f in dataclasses.fields(Outline) if not any(getattr(one, f.name) for one in shown)] == []

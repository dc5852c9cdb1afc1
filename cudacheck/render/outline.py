"""What a reader sees of a report, and in which order: decided once, drawn by each format in its own way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cudacheck.judging import questions, understood
from cudacheck.judging.verdict import interrupted
from cudacheck.model.findings import Evidence, Finding, Question, Remedy, Severity, Unchecked
from cudacheck.model.report import Fulfilment, Outcome, ProbeRun, Report, RequirementResult, State, Verdict
from cudacheck.probes.chosen import Patient
from cudacheck.render._clean import clean

MARKS = {State.READY: "✓", State.READY_BUT: "✓", State.NOT_PROVEN: "?", State.BROKEN: "✗"}
SEVERITY_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
REQUIREMENT_MARKS = {Fulfilment.FULFILLED: "✓", Fulfilment.UNMET: "✗", Fulfilment.UNCHECKED: "?"}

MOST_FINDINGS = 200
"""There are fewer rules: more findings are not ours."""
MOST_ANSWERS = 20
"""To one question; there are fewer rules that ask."""
MOST_REQUIREMENTS = 200
MOST_EVIDENCE = 20
"""Of one finding: a report may hold thousands of rows that failed alike."""
MOST_WORDS = 12
"""Lines of a log."""


@dataclass(frozen=True)
class Root:
    """One finding that no other explains, with all that belongs beneath it."""

    finding: Finding
    evidence: tuple[Evidence, ...]
    more_evidence: int
    """So many pieces are left out."""
    remedies: tuple[Remedy, ...]
    verify: str
    """The command that shows whether it worked; empty where none does."""
    explains: tuple[Finding, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class LastLines:
    errors: int
    warnings: int
    unchecked: int
    why_unchecked: str
    """The most common reason."""
    seconds: float | None
    knowledge_date: str
    ask: str
    """The rule whose page says more; empty where there is nothing to explain."""

    @property
    def parts(self) -> list[str]:
        """In words: counts, the time, the day of the knowledge."""
        told = [
            f"{self.errors} error{'s' * (self.errors != 1)}",
            f"{self.warnings} warning{'s' * (self.warnings != 1)}",
        ]
        if n := self.unchecked:
            told.append(f"{n} rule{'s' * (n != 1)} unchecked ({clean(self.why_unchecked, 60)})")
        if self.seconds is not None:
            told.append(f"{self.seconds:.1f} s")
        if self.knowledge_date:
            told.append(f"knowledge of {clean(self.knowledge_date, 20)}")
        return told


@dataclass(frozen=True)
class Outline:
    """From the first line to the last. The facts at a glance and the tables of speed stand after the roots."""

    cut_short: bool
    """Ctrl-C came, and something was found by then: said before it."""
    verdict: Verdict | None
    """The first line; None where the first root says it."""
    roots: tuple[Root, ...]
    more_roots: int
    required: tuple[RequirementResult, ...]
    """What became of each requirement, also of those that are fulfilled."""
    more_required: int
    questions: tuple[Question, ...]
    """What would decide where a paste leaves the cause open,"""
    ask_all: tuple[str, ...]
    """and what prints the answers to all of them; empty where there are not several."""
    read: tuple[str, ...]
    """What of a paste counted; empty for what was inspected live."""
    differing: tuple[str, ...]
    """Of which things two pastes say different ones."""
    notes: tuple[Root, ...]
    probes: tuple[ProbeRun, ...]
    """How each ended, for who wants to know."""
    unchecked: tuple[Unchecked, ...]
    summary: LastLines


def of(report: Report, *, verbose: bool = False) -> Outline:
    roots = [f for f in report.findings if f.caused_by is None]
    faults = [f for f in roots if f.severity is not Severity.NOTE]
    notes = [f for f in roots if f.severity is Severity.NOTE][:MOST_FINDINGS]
    broken = report.verdict.state is State.BROKEN
    return Outline(
        cut_short=broken and interrupted(report.facts),
        verdict=None if broken else report.verdict,
        roots=tuple(_root(report, finding, verbose=verbose) for finding in faults[:MOST_FINDINGS]),
        more_roots=max(0, len(faults) - MOST_FINDINGS),
        required=report.requirements[:MOST_REQUIREMENTS],
        more_required=max(0, len(report.requirements) - MOST_REQUIREMENTS),
        questions=report.questions[:MOST_FINDINGS],
        ask_all=questions.block(report.questions[:MOST_FINDINGS]) if len(report.questions) > 1 else (),
        read=tuple(understood.counted(report.facts)) if report.facts.one(Patient) is None else (),
        differing=tuple(understood.differing(report.facts)),
        # Advice is for the healthy.
        notes=tuple(_root(report, note, verbose=verbose) for note in notes) if not broken or verbose else (),
        probes=report.probes if verbose else (),
        unchecked=report.unchecked if verbose else (),
        summary=_summary(report, (faults or roots)[:1]),
    )


def mark_of(finding: Finding) -> str:
    return SEVERITY_MARKS[finding.severity or Severity.ERROR]


def answers(question: Question) -> list[str]:
    """What each would mean: `there is none: driver-missing or driver-not-loaded`."""
    means: dict[str, list[str]] = {}
    for answer in question.answers[:MOST_ANSWERS]:
        means.setdefault(answer.says, []).append(answer.rule)
    return [f"{says}: {' or '.join(rules)}" for says, rules in means.items()]


def titled(remedy: Remedy) -> str:
    """What it does, and what it needs: `upgrade the NVIDIA driver (root, reboot)`."""
    marks = [word for word, on in (("root", remedy.needs_root), ("reboot", remedy.needs_reboot)) if on]
    return remedy.title + (f" ({', '.join(marks)})" if marks else "")


def to_type(remedy: Remedy) -> tuple[str, ...]:
    """Line by line: what to put into the file that the title names, then commands."""
    edit = remedy.edit.rstrip("\n").split("\n") if remedy.edit else []
    return (*edit, *remedy.commands)


def explained(root: Root) -> str:
    return " · ".join(f"{finding.rule}: {finding.message}" for finding in root.explains)


def ended(run: ProbeRun) -> str:
    """`torch_import crashed 1.20 s SIGSEGV`"""
    seconds = f" {run.seconds:.2f} s" if run.seconds is not None else ""
    return f"{run.probe} {run.outcome}{seconds}" + (f" {run.detail}" if run.detail else "")


def last_words(run: ProbeRun) -> list[str]:
    """What a probe that did not come to its end printed last."""
    return [] if run.outcome in {Outcome.OK, Outcome.SKIPPED} else run.log.splitlines()[-MOST_WORDS:]


def _root(report: Report, finding: Finding, *, verbose: bool) -> Root:
    brief = finding.severity is Severity.NOTE and not verbose
    remedies = finding.remedies[:1] if brief else finding.remedies
    return Root(
        finding,
        evidence=finding.evidence[:MOST_EVIDENCE],
        more_evidence=max(0, len(finding.evidence) - MOST_EVIDENCE),
        remedies=remedies,
        verify="" if brief else next((remedy.verify for remedy in remedies if remedy.verify), ""),
        explains=tuple(f for f in report.findings if f.caused_by == finding.rule)[:MOST_FINDINGS],
        sources=finding.sources[:MOST_EVIDENCE] if verbose else (),
    )


def _summary(report: Report, first: list[Finding]) -> LastLines:
    reasons = Counter(unchecked.reason for unchecked in report.unchecked).most_common(1)
    return LastLines(
        errors=report.count(Severity.ERROR),
        warnings=report.count(Severity.WARNING),
        unchecked=len(report.unchecked),
        why_unchecked=reasons[0][0] if reasons else "",
        seconds=report.seconds,
        knowledge_date=report.knowledge_date,
        ask=first[0].rule if first else "",
    )

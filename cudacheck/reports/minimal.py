"""A report with its verdict, its findings and only the facts that they rest on, found by watching who asks for what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from cudacheck import registry
from cudacheck.judging.again import changed
from cudacheck.judging.judge import judge
from cudacheck.judging.verdict import verdict
from cudacheck.model.facts import Facts
from cudacheck.model.report import Report
from cudacheck.speed import axes

T = TypeVar("T")


class _Watched(Facts):
    """Remembers which types it was asked for."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(fact for kind in facts.types() for fact in facts.all(kind))
        self.mark_complete(*filter(facts.is_complete, facts.types()))
        self.asked: set[type] = set()

    def all(self, fact_type: type[T]) -> tuple[T, ...]:
        self.asked.add(fact_type)
        return super().all(fact_type)

    def one(self, fact_type: type[T]) -> T | None:
        self.asked.add(fact_type)
        return super().one(fact_type)

    def is_complete(self, fact_type: type) -> bool:
        self.asked.add(fact_type)
        return super().is_complete(fact_type)

    def is_answered(self, fact_type: type) -> bool:
        self.asked.add(fact_type)
        return super().is_answered(fact_type)


def minimal(report: Report) -> Report:
    """The same verdict and findings on fewer facts; all of them where they rest on all.

    A machine that is ready is so by every rule: nothing of its facts can go.
    """
    for kinds in _wider(report):
        facts = _only(report.facts, kinds)
        if not changed(report, _judged(report, facts)):
            return dataclasses.replace(report, facts=facts, speed=axes.judged(facts))
    return report


def _wider(report: Report) -> Iterator[set[type]]:
    """What the rules that spoke asked for, the verdict included; then also what speaks where that is all."""
    kinds = _asked_by(report, {finding.rule for finding in report.findings})
    yield kinds
    said = {finding.rule for finding in _judged(report, _only(report.facts, kinds)).findings}
    yield kinds | _asked_by(report, said)


def _asked_by(report: Report, rules: Iterable[str]) -> set[type]:
    facts = _Watched(report.facts)
    others = {rule.id for rule in registry.rules()} - {*rules}
    judgement = judge(facts, ignore=others)
    verdict(facts, judgement.findings, judgement.unchecked)
    return facts.asked


def _judged(report: Report, facts: Facts) -> Report:
    judgement = judge(facts)
    told = verdict(facts, judgement.findings, judgement.unchecked, axes.judged(facts))
    return dataclasses.replace(report, verdict=told, findings=judgement.findings, facts=facts)


def _only(facts: Facts, kinds: set[type]) -> Facts:
    kept: list[Any] = [fact for kind in facts.types() if kind in kinds for fact in facts.all(kind)]
    return Facts(kept, complete=[kind for kind in facts.types() if kind in kinds and facts.is_complete(kind)])

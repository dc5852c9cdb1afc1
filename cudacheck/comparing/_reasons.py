"""Which differences a finding rests on: those without which it would not be found.

Rules are pure: what the second machine would be told, were one thing on it as on the first, the rule itself can say.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cudacheck.comparing._order import kinds_of, place
from cudacheck.comparing._pairs import Changed
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding
from cudacheck.model.identity import identity
from cudacheck.model.report import Report
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.registry import rule, rules

MOST_FINDINGS = 20
SHORTEST_WORD = 3
"""Shorter ones are in any text."""
MOST_ASIDE = 3
MOST_TRIED = 100
"""Differences of one type."""


def new_roots(a: Report, b: Report) -> list[Finding]:
    """The findings of the second that the first does not have, without those that another of them explains."""
    known = {finding.rule for finding in a.findings}
    new = [finding for finding in b.findings if finding.rule not in known]
    rules_of_new = {finding.rule for finding in new}
    return [finding for finding in new if finding.caused_by not in rules_of_new][:MOST_FINDINGS]


def is_unchecked(finding: Finding, report: Report) -> bool:
    return any(unchecked.rule == finding.rule for unchecked in report.unchecked)


def is_silent(finding: Finding, a: Facts, b: Facts) -> bool:
    """Whether the first machine tells too little for this finding: the second would not have it if it told no more."""
    asked = rule(finding.rule)
    for kind in b.types():
        if not a.is_answered(kind) and kind is not ErrorMessage:
            b = b.having(kind, [], complete=False)
    return asked is not None and not _is_found(asked, b)


def resting_on(finding: Finding, a: Facts, b: Facts, changes: Sequence[Changed]) -> list[Changed]:
    """The changes that this finding rests on; empty where none of them alone, nor all together, explain it."""
    asked = rule(finding.rule)
    if asked is None:
        return []
    of_kind = {kind: [change for change in changes if change.kind is kind] for kind in _kinds(asked, a, b)}
    kinds = [kind for kind, these in of_kind.items() if these]

    def as_first(*chosen: type) -> Facts:
        """The second machine, with these types of facts as on the first."""
        facts = b
        for kind in chosen:
            facts = _undone(facts, of_kind[kind], complete=a.is_complete(kind))
        return facts

    cited = [change for change in changes if not change.aside and _is_cited(change, finding)]
    alone = [kind for kind in kinds if not _is_found(asked, as_first(kind))]
    if alone:
        return _shown([*cited, *(change for kind in alone for change in _narrowed(asked, b, of_kind[kind]))])
    # Either of two may be enough for the finding. Of all that a rule may look at, anything could be named so.
    named = [kind for kind in kinds if kind is ErrorMessage or any(need.fact_type is kind for need in asked.needs)]
    if named and not _is_found(asked, as_first(*named)):
        needed = [kind for kind in named if _is_found(asked, as_first(*(k for k in named if k is not kind)))]
        return _shown([*cited, *(change for kind in needed for change in of_kind[kind])])
    return cited


def _is_cited(change: Changed, finding: Finding) -> bool:
    """Whether the finding's own evidence names what has changed, or the version or path that it has now."""
    which, found = change.told.which, change.told.found
    named = [] if which.startswith("GPU ") else [which]
    named += [found] if isinstance(found, str) and re.search(r"[\d/]", found) else []
    words = [re.escape(word) for word in named if len(word) > SHORTEST_WORD]
    said = [text for evidence in finding.evidence for text in (evidence.fact, evidence.found_in)]
    return any(re.search(rf"(?<![\w.]){word}(?![\w])", text) for word in words for text in said)


def _kinds(asked: Rule, a: Facts, b: Facts) -> Iterator[type]:
    """What the rule may look at, as far as the first machine tells of it."""
    needed = {need.fact_type for need in asked.needs}
    everything = Facts in needed or asked.heard is not None or asked.closing is not None
    for kind in kinds_of(a, b):
        if (everything or kind in needed) and (a.is_answered(kind) or kind is ErrorMessage):
            yield kind


def _narrowed(asked: Rule, b: Facts, changes: Sequence[Changed]) -> list[Changed]:
    """Of the changes of one type those that each clear the finding alone; else all."""
    single = [c for c in changes[:MOST_TRIED] if not _is_found(asked, _undone(b, [c], complete=b.is_complete(c.kind)))]
    return single or [*changes]


def _shown(changes: list[Changed]) -> list[Changed]:
    """What matters first; what is not compared for its own sake only where there is nothing else, and then not all."""
    once = {id(change): change for change in changes}.values()
    shown = [change for change in once if not change.aside]
    return sorted(shown, key=place) or sorted(once, key=place)[:MOST_ASIDE]


def _is_found(asked: Rule, facts: Facts) -> bool:
    others = () if asked.closing else [other.id for other in rules() if other.id != asked.id]
    return any(finding.rule == asked.id for finding in judge(facts, ignore=others).findings)


def _undone(b: Facts, changes: Sequence[Changed], *, complete: bool) -> Facts:
    """The second machine without these changes, which are of one type. What it calls its own GPUs and folders stays."""
    kind = changes[0].kind
    facts: list[Any] = [*b.all(kind)]
    now: dict[int, Any] = {}
    for change in changes:
        if change.after is None:
            facts.append(change.before)
        elif change.before is None:
            facts.remove(change.after)
        else:
            fact = now.get(id(change.after), change.after)
            now[id(change.after)] = restored = _restored(change, fact)
            facts[facts.index(fact)] = restored
    return b.having(kind, facts, complete=complete)


def _restored(change: Changed, after: Any) -> Any:
    name, told = change.told.field, identity(change.kind)
    if told.only:  # a measurement: its parts belong together
        return dataclasses.replace(change.before, **{field: getattr(after, field) for field in told.gpu})
    old, new = getattr(change.before, name), getattr(after, name)
    if isinstance(old, dict) and isinstance(new, dict):
        key = change.entry
        entry = {key: old[key]} if key in old else {}
        return dataclasses.replace(after, **{name: {k: v for k, v in new.items() if k != key} | entry})
    words = {words: getattr(change.before, words) for field, words in told.why if field == name}
    return dataclasses.replace(after, **{name: old}, **words)

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
"""What is no longer is in any text: a variable that is 0, and GPU 0."""
MOST_ASIDE = 3
MOST_TRIED = 100
"""Differences of one type."""
MOST_WORK = 300_000
"""Facts of both machines, times how often a rule is asked: a thousand times for two usual reports."""

_WORD = re.compile(r"[\w./+-]+")


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


class Tries:
    """How often a rule may be asked again: the larger a report, the longer each time takes."""

    def __init__(self, a: Facts, b: Facts) -> None:
        self.left = MOST_WORK // max(1, sum(len(bag.all(kind)) for bag in (a, b) for kind in kinds_of(bag)))

    def is_cleared(self, asked: Rule, facts: Facts) -> bool:
        """Whether this rule finds nothing; once nothing may be asked any more, nobody knows, and it is not."""
        self.left -= 1
        return self.left >= 0 and not _is_found(asked, facts)


def resting_on(finding: Finding, a: Facts, b: Facts, changes: Sequence[Changed], tries: Tries) -> list[Changed]:
    """The changes that this finding rests on; empty where none of them alone, nor all together, explain it."""
    asked = rule(finding.rule)
    if asked is None:
        return []
    of_kind: dict[type, list[Changed]] = {kind: [] for kind in _kinds(asked, a, b)}
    for change in changes:
        of_kind.get(change.kind, []).append(change)
    kinds = [kind for kind, these in of_kind.items() if these]

    def as_first(*chosen: type) -> Facts:
        """The second machine, with these types of facts as on the first."""
        facts = b
        for kind in chosen:
            facts = _undone(facts, of_kind[kind], complete=a.is_complete(kind))
        return facts

    words = _words_of(finding)
    cited = [change for change in changes if not change.aside and _names(change) & words]
    alone = [kind for kind in kinds if tries.is_cleared(asked, as_first(kind))]
    if alone:
        return _shown([*cited, *(change for kind in alone for change in _narrowed(asked, b, of_kind[kind], tries))])
    # Either of two may be enough for the finding. Of all that a rule may look at, anything could be named so.
    named = [kind for kind in kinds if kind is ErrorMessage or any(need.fact_type is kind for need in asked.needs)]
    if named and tries.is_cleared(asked, as_first(*named)):
        needed = [k for k in named if not tries.is_cleared(asked, as_first(*(o for o in named if o is not k)))]
        return _shown([*cited, *(change for kind in needed for change in of_kind[kind])])
    return cited


def _words_of(finding: Finding) -> set[str]:
    """What its own evidence names."""
    said = (text for evidence in finding.evidence for text in (evidence.fact, evidence.found_in))
    return {word.strip(".:,") for text in said for word in _WORD.findall(text)}


def _names(change: Changed) -> set[str]:
    """What is cited where it is this that has changed: its name, or the version or path that it has now."""
    which, found = change.told.which, change.told.found
    named = {which} if not which.startswith("GPU ") else set()
    if isinstance(found, str) and re.search(r"[\d/]", found):
        named.add(found)
    return {word for word in named if len(word) > SHORTEST_WORD}


def _kinds(asked: Rule, a: Facts, b: Facts) -> Iterator[type]:
    """What the rule may look at, as far as the first machine tells of it."""
    needed = {need.fact_type for need in asked.needs}
    everything = Facts in needed or asked.heard is not None or asked.closing is not None
    for kind in kinds_of(a, b):
        if (everything or kind in needed) and (a.is_answered(kind) or kind is ErrorMessage):
            yield kind


def _narrowed(asked: Rule, b: Facts, changes: Sequence[Changed], tries: Tries) -> list[Changed]:
    """Of the changes of one type those that each clear the finding alone; else all."""
    complete = b.is_complete(changes[0].kind)
    single = [c for c in changes[:MOST_TRIED] if tries.is_cleared(asked, _undone(b, [c], complete=complete))]
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
    facts: tuple[Any, ...] = b.all(kind)
    now = {id(fact): fact for fact in facts}
    again = []
    for change in changes:
        if change.after is None:
            again.append(change.before)
        elif change.before is None:
            now.pop(id(change.after), None)
        else:
            now[id(change.after)] = _restored(change, now[id(change.after)])
    return b.having(kind, [*now.values(), *again], complete=complete)


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

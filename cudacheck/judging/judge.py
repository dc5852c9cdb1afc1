"""Facts × rules → findings, root cause first, and the rules that could not be checked. Pure: no I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from typing import Any

from cudacheck.model import unknown
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, Gap, Severity, Unchecked, cut
from cudacheck.model.rule import Apart, Missing, Need, Rule
from cudacheck.probes.messages import LONGEST, ErrorMessage
from cudacheck.registry import causes_of, listens, probe_of, rules, spelled_out
from cudacheck.registry import rule as find_rule
from cudacheck.rules import _messages

MAX_LINE = 1000
"""Of a finding's own words, which quote what strangers wrote."""


@dataclasses.dataclass(frozen=True)
class Judgement:
    findings: tuple[Finding, ...]
    """Roots in the order of their layer, each followed by what it explains."""
    unchecked: tuple[Unchecked, ...]


def judge(facts: Facts, *, ignore: Collection[str] = ()) -> Judgement:
    """Every rule over these facts; `ignore` names rules to leave out, by an id of today or a former one."""
    findings: dict[str, Finding] = {}
    unchecked: list[Unchecked] = []
    asked = [rule for rule in rules() if {*ignore}.isdisjoint(rule.names) or rule.always]
    for rule in asked:
        found: list[Finding] = []
        try:
            found += _heard(rule, facts)
            found = [*_checked(rule, facts), *found]
        except Missing as missing:
            if missing.unknown and not found:
                unchecked.append(_unknown(rule, missing.unknown, facts))
        except Exception as error:
            # A fault of ours must not cost the patient a report, and is no pass either.
            said = f"the rule itself failed: {type(error).__name__}: {error}"
            unchecked.append(Unchecked(rule.id, said, Gap.OWN_FAULT, severity=rule.severity))
        if found:
            findings[rule.id] = _one(rule, found)
    for rule in asked:
        if rule.closing and (found := [*rule.closing(facts, findings, unchecked)]):
            apart = [finding for finding in found if isinstance(finding, Apart)]
            findings.update((f"{rule.id} {number}", _one(rule, [finding])) for number, finding in enumerate(apart))
            if together := [finding for finding in found if not isinstance(finding, Apart)]:
                findings[rule.id] = _one(rule, together)
    return Judgement(_root_first(findings), tuple(unchecked))


def _checked(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if rule.check is None:
        return iter(())
    return rule.check(*[_answer(need, facts) for need in rule.needs])


def _answer(need: Need, facts: Facts) -> Any:
    """The argument for one parameter of a rule. Raises Missing when it cannot be had."""
    if need.fact_type is Facts:
        return facts
    if need.many:
        if need.optional or facts.is_complete(need.fact_type):
            return facts.all(need.fact_type)
        raise Missing(need.fact_type)
    fact = facts.one(need.fact_type)
    if fact is not None or need.optional:
        return fact
    raise Missing(None if facts.is_complete(need.fact_type) else need.fact_type)


def _heard(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What the rule makes of the first message in which software announces this very fault."""
    said_all = facts.all(ErrorMessage)
    if rule.heard is None or not said_all:
        return
    listened = listens(rule)
    for said in said_all:
        for pattern in listened:
            match = pattern.search(said.text[:LONGEST])
            if match:
                quote = _messages.quote(match, said)
                heard = [
                    _with(quote, _messages.in_words_of_row(match, finding))
                    for finding in rule.heard(match, said, facts)
                ]
                if heard:
                    yield from heard
                    return


def _with(quote: Evidence, finding: Finding) -> Finding:
    """What was said convicts first; a rule need not say so."""
    evidence = finding.evidence if quote in finding.evidence else (quote, *finding.evidence)
    return dataclasses.replace(finding, evidence=evidence)


def _one(rule: Rule, found: list[Finding]) -> Finding:
    """One finding a rule: several (two GPUs, a fact and a message) share the first one's words."""
    first = found[0]
    severity = min((f.severity or rule.severity for f in found), key=list(Severity).index)
    return dataclasses.replace(
        first,
        message=cut(first.message, MAX_LINE),
        rule=rule.id,
        severity=severity,
        fix_by=first.fix_by or rule.fix_by,
        evidence=tuple(dict.fromkeys(e for f in found for e in f.evidence)),
        sources=tuple(dict.fromkeys(s for f in found for s in f.sources or rule.sources)),
    )


def _root_first(findings: dict[str, Finding]) -> tuple[Finding, ...]:
    """Name for every consequence its root, and put roots first, each followed by what it explains."""

    def root_of(key: str, seen: tuple[str, ...] = ()) -> str:
        causes = (c for c in _causes(findings[key]) if c in findings and c not in (*seen, key))
        cause = next((c for c in causes if _explains(findings[c], findings[key])), None)
        return root_of(cause, (*seen, key)) if cause else key

    roots = {key: root_of(key) for key in findings}
    order = list(Severity)
    position = {rule.id: index for index, rule in enumerate(rules())}

    def place(key: str) -> tuple[int, int, bool, int]:
        root = roots[key]
        severity = findings[root].severity or Severity.NOTE
        return order.index(severity), position[findings[root].rule], key != root, position[findings[key].rule]

    return tuple(
        _with_cause(findings[key], None if roots[key] == key else roots[key]) for key in sorted(findings, key=place)
    )


def _causes(finding: Finding) -> tuple[str, ...]:
    """The rules that may explain it: those that it names itself, else those that its rule names."""
    if isinstance(finding, Apart):
        return spelled_out(finding.explained_by, finding.rule)
    if finding.caused_by:  # by a closing rule, which knows what the others found
        return (finding.caused_by,)
    asked = find_rule(finding.rule)
    return () if asked and asked.closing else causes_of(finding.rule)


def _with_cause(finding: Finding, cause: str | None) -> Finding:
    fields = {field.name: getattr(finding, field.name) for field in dataclasses.fields(Finding)}
    return Finding(**{**fields, "caused_by": cause})


def _explains(cause: Finding, consequence: Finding) -> bool:
    """A mere note explains no fault, and a warning no error."""
    order = list(Severity)
    return order.index(cause.severity or Severity.NOTE) <= order.index(consequence.severity or Severity.NOTE)


def _unknown(rule: Rule, fact_type: type, facts: Facts) -> Unchecked:
    owner = probe_of(fact_type)
    said, gap, probe = unknown.why(facts, fact_type, owner.name if owner else "")
    return Unchecked(rule.id, said, gap, probe, rule.severity)

"""Every module in probes/ and rules/ declares one PROBE or one RULE: this finds them, and puts them in order."""

from __future__ import annotations

import dataclasses
import re
import types
from functools import lru_cache

from cudacheck import knowledge
from cudacheck.model.declared import declared, modules_of
from cudacheck.model.rule import Family, Rule
from cudacheck.probes import Probe, host, patient
from cudacheck.probes.chosen import Patient, Required
from cudacheck.probes.messages import ContainerStart, Contradiction, ErrorMessage
from cudacheck.speed.baseline import Baseline

UNASKED = (Patient, Required, Baseline, ErrorMessage, ContainerStart, Contradiction)
"""The facts that no probe owns: what was chosen, what is required, what was saved, what was said."""


@lru_cache
def probes() -> tuple[Probe, ...]:
    """All probes in the order in which each child runs them.

    A probe comes after those it names; among the rest, what is soonest given up on goes first, so that the cheap
    facts are in before anything can hang.
    """
    found = [
        dataclasses.replace(declared(module, "PROBE", Probe), name=_last(module), child=_last(package))
        for package in (host, patient)
        for module in modules_of(package)
    ]
    names = {probe.name for probe in found}
    ordered: list[Probe] = []
    waiting = sorted(found, key=lambda p: (p.timeout_s, p.name))
    for probe in waiting:
        if unknown := {*probe.after, *probe.instead_of} - names:
            raise ValueError(f"the probe {probe.name} names {unknown.pop()}, which is none")
    while waiting:
        done = {probe.name for probe in ordered}
        ready = next(probe for probe in waiting if done.issuperset(probe.after))
        waiting.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


@lru_cache
def fact_types() -> dict[str, type]:
    """Every fact type by its name, which is also its key in a report."""
    found: dict[str, type] = {}
    for fact_type in (*UNASKED, *(fact_type for probe in probes() for fact_type in probe.facts)):
        if found.setdefault(fact_type.__name__, fact_type) is not fact_type:
            raise TypeError(f"two fact types are called {fact_type.__name__}")
    return found


@lru_cache
def probe_of(fact_type: type) -> Probe | None:
    """The probe that yields facts of this type; None for those that no probe owns (what was typed, what was said)."""
    return next((probe for probe in probes() if fact_type in probe.facts), None)


@lru_cache
def rules() -> tuple[Rule, ...]:
    """All rules, deepest layer first: the order in which root causes are printed."""
    from cudacheck import rules as package

    found = [
        dataclasses.replace(
            declared(module, "RULE", Rule),
            id=_last(module).replace("_", "-"),
            doc=(module.__doc__ or "").strip(),
        )
        for module in modules_of(package)
    ]
    return tuple(sorted(found, key=lambda rule: (rule.layer, rule.id)))


Listened = re.Pattern[str] | knowledge.Message
"""What is searched for in a text: both have `search` and `finditer`."""


def listens(rule: Rule) -> tuple[Listened, ...]:
    """What a rule listens for: its own expressions, then what the table of messages says of it."""
    return (*map(re.compile, rule.messages), *knowledge.messages_of(rule.id))


@lru_cache
def messages() -> tuple[Listened, ...]:
    """What the rules listen for, each once."""
    own = dict.fromkeys(pattern for rule in rules() for pattern in rule.messages)
    return (*map(re.compile, own), *knowledge.messages())


@lru_cache
def rule(rule_id: str) -> Rule | None:
    """The rule that has this id, or had it; None where there never was one."""
    return next((rule for rule in rules() if rule_id in rule.names), None)


@lru_cache
def causes_of(rule_id: str) -> tuple[str, ...]:
    """The rules that explain this one's finding, families spelled out, in the order in which it names them.

    Raises ValueError for a name that is no rule.
    """
    asked = rule(rule_id)
    return spelled_out(asked.explained_by, rule_id) if asked else ()


@lru_cache
def spelled_out(causes: tuple[str | Family, ...], of: str) -> tuple[str, ...]:
    """The rules that these names and families mean, for the rule `of`. Raises ValueError for a name that is none."""
    ids = {r.id for r in rules()}
    found: dict[str, None] = {}
    for cause in causes:
        members = [r.id for r in rules() if cause in r.joins] if isinstance(cause, Family) else [cause]
        if unknown := [member for member in members if member not in ids]:
            raise ValueError(f"{of} is explained by {unknown[0]}, which is no rule")
        found.update(dict.fromkeys(members))
    found.pop(of, None)
    return tuple(found)


def _last(module: types.ModuleType) -> str:
    return module.__name__.rpartition(".")[2]

"""Every rule keeps to its form, fires on its FIRES and stays quiet on its QUIET."""

from __future__ import annotations

import dataclasses
import re
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cudacheck import registry
from cudacheck.facts import Facts
from cudacheck.judging import judge
from cudacheck.probes.messages import ErrorMessage
from cudacheck.report import Finding, Layer, ProbeRun, Severity

RULES = registry.rules()
HEADINGS = ["What it does", "Why it matters", "What to do", "References"]
PROPER = re.compile(
    r"[a-z`]|CUDA|PyTorch|NVIDIA|NVML|GPU|WSL|MIG|PTX|Secure Boot|Windows|Python|Triton|FlashAttention|Gradio"
)
"""How a message may start: in lower case, or with a name."""


def examples(kind: str) -> list:
    return [
        pytest.param(rule, example, id=f"{rule.id}: {name}")
        for rule in RULES
        for name, example in getattr(rule.module, kind, {}).items()
    ]


def facts_of(example: tuple) -> Facts:
    """What the example holds is known, and so is what was said and how the probes ended."""
    return Facts(example, known={ErrorMessage, ProbeRun, *map(type, example)})


def finding_of(rule: registry.Rule, example: tuple) -> Finding | None:
    return next((f for f in judge(facts_of(example)).findings if f.rule == rule.id), None)


@pytest.fixture(params=RULES, ids=lambda rule: rule.id)
def rule(request) -> registry.Rule:
    return request.param


def test_the_page_has_its_four_parts(rule):
    assert re.findall(r"^## (.*)$", rule.doc, re.MULTILINE) == HEADINGS
    assert rule.doc.partition("\n")[0].endswith(".")
    assert all(part.strip() for part in re.split(r"^## .*$", rule.doc, flags=re.MULTILINE)[1:])


def test_references_are_addresses(rule):
    listed = re.findall(r"^- (.*)$", rule.doc.partition("## References")[2], re.MULTILINE)
    assert listed
    assert all(re.match(r"https?://[^\s<>]+", line) for line in listed), listed


def test_severity_and_layer(rule):
    assert isinstance(rule.severity, Severity)
    assert isinstance(rule.layer, Layer)


def test_what_explains_it_exists(rule):
    assert {*rule.explained_by} <= {r.id for r in RULES}
    assert rule.id not in rule.explained_by


def test_messages_are_regular_expressions(rule):
    for pattern in rule.messages:
        assert not re.search(pattern, ""), "it would match anything"
    assert bool(rule.messages) == bool(rule.heard)


def test_there_are_examples(rule):
    if rule.check or rule.heard:
        assert rule.module.FIRES
        assert rule.module.QUIET


def test_no_two_rules_explain_each_other():
    explained = {rule.id: set(rule.explained_by) for rule in RULES}
    assert [(a, b) for a in explained for b in explained[a] if a < b and a in explained[b]] == []


@pytest.mark.parametrize(("rule", "example"), examples("FIRES"))
def test_it_fires(rule, example):
    finding = finding_of(rule, example)
    assert finding is not None
    assert PROPER.match(finding.message), finding.message
    assert not finding.message.endswith(".")
    assert "\n" not in finding.message
    assert finding.evidence
    for source in finding.sources:
        assert re.match(r"https?://", source)
    if finding.severity is Severity.ERROR:
        assert finding.remedies
    for remedy in finding.remedies:
        assert remedy.title
        assert "\n" not in remedy.title


@pytest.mark.parametrize(("rule", "example"), examples("QUIET"))
def test_it_stays_quiet(rule, example):
    assert finding_of(rule, example) is None


ALL_FACTS = sorted(
    {repr(fact): fact for kind in ("FIRES", "QUIET") for p in examples(kind) for fact in p.values[1]}.items()
)


def garbled(fact: object, text: str | None) -> object:
    """The fact with this in every field that a paste may leave out."""
    hints = typing.get_type_hints(type(fact))
    texts = [f.name for f in dataclasses.fields(fact) if {str, type(None)} <= {*typing.get_args(hints[f.name])}]
    return dataclasses.replace(fact, **dict.fromkeys(texts, text))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([fact for _, fact in ALL_FACTS]), max_size=12),
    st.sampled_from([None, "", "N/A", "[Not Supported]", "99", "-1"]),
    st.integers(0, 12),
    st.booleans(),
)
def test_no_combination_of_facts_makes_a_rule_raise(facts, text, first_garbled, complete):
    facts = [*facts[:first_garbled], *(garbled(fact, text) for fact in facts[first_garbled:])]
    known = registry.fact_types().values() if complete else ()
    judge(Facts(facts, known))


def test_a_machine_of_which_nothing_is_known_has_no_findings():
    assert judge(Facts()).findings == ()

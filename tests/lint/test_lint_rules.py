"""Every lint rule keeps to its form, finds what it says it finds and leaves the rest alone."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("tree_sitter_bash", reason="needs the extra: pip install cudacheck[lint]")

from cudacheck.lint.linting import lint
from cudacheck.lint.rule import Example, NamedRule, rules

HEADINGS = ["What it does", "Why it matters", "What to do", "References"]
PROPER = re.compile(r"[a-z`\-'\"]|CUDA|PyTorch|NVIDIA|GPU|Python|Gradio|Engine|E\b")


def examples(kind: str) -> list:
    return [
        pytest.param(rule, example, id=f"{rule.id}: {name}")
        for rule in rules()
        for name, example in getattr(rule.rule, kind).items()
    ]


def findings(example: Example) -> list:
    linted = lint([(example.file, example.text)], beside=example.others.items(), machine=example.machine)
    assert not linted.unread
    return [*linted.findings]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_the_page_has_its_four_parts(rule: NamedRule):
    assert re.findall(r"^## (.*)$", rule.doc, re.MULTILINE) == HEADINGS
    assert rule.doc.partition("\n")[0].endswith(".")
    assert all(part.strip() for part in re.split(r"^## .*$", rule.doc, flags=re.MULTILINE)[1:])
    assert rule.references
    assert all(re.match(r"https?://[^\s<>]+$", address) for address in rule.references)


@pytest.mark.parametrize(("rule", "example"), examples("finds"))
def test_it_finds(rule: NamedRule, example: Example):
    found = [finding for finding in findings(example) if finding.rule == rule.id]
    assert found
    lines = example.text.split("\n")
    for finding in found:
        assert PROPER.match(finding.message), finding.message
        assert not finding.message.endswith(".")
        assert "\n" not in finding.message
        assert 1 <= finding.place.line <= len(lines)
        assert 1 <= finding.place.column <= len(lines[finding.place.line - 1]) + 1


@pytest.mark.parametrize(("rule", "example"), examples("quiet"))
def test_it_stays_quiet(rule: NamedRule, example: Example):
    assert [finding for finding in findings(example) if finding.rule == rule.id] == []

"""Pasted text, judged: the root findings that a ticket is to be told, and silence for healthy machines."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cudacheck import sources
from cudacheck.judging import judge as judging
from cudacheck.model.findings import Severity

TICKETS = Path(__file__).parent / "tickets"
EXPECTED: dict[str, list[str]] = tomllib.loads((TICKETS / "expected.toml").read_text(encoding="utf-8"))


def test_every_ticket_has_its_expectation() -> None:
    assert {path.stem for path in TICKETS.glob("*.txt")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_ticket(name: str) -> None:
    path = TICKETS / f"{name}.txt"
    judgement = judging.judge(sources.read([(path.name, path.read_text(encoding="utf-8"))]))
    roots = [f for f in judgement.findings if f.severity is not Severity.NOTE and f.caused_by is None]
    assert [f.rule for f in roots] == EXPECTED[name]
    for finding in judgement.findings:
        assert "\n" not in finding.message


@pytest.mark.parametrize(("name", "offered"), [("mac-asked-for-cuda", False), ("mac-that-somebody-types-on", True)])
def test_no_cuda_build_is_offered_where_none_exists(name: str, offered: bool) -> None:
    path = TICKETS / f"{name}.txt"
    judgement = judging.judge(sources.read([(path.name, path.read_text(encoding="utf-8"))]))
    assert any(remedy.commands for f in judgement.findings for remedy in f.remedies) is offered

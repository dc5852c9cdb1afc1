"""Our own tickets in disguise (tests/tools/disguise.py): what only looks otherwise is the same, what is less asks."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "tools"))
import disguise  # type: ignore[import-not-found]

TICKETS = sorted((Path(__file__).parent / "tickets").glob("*.txt"))
LOOKS = [name for name in disguise.DISGUISES if name not in {"wrapped at 60", "another's dump behind it"}]
INHERENT = {
    # its own error is a message that a container without its GPU gets, too
    "missing-capability": {"container-without-gpu"},
    # that CUDA works is the one thing that speaks against its versions
    "healthy-data-centre-compat": {"driver-too-old"},
    # whoever has the GPU instead, the module is not loaded
    "nouveau-beside-lspci-by-name": {"driver-not-loaded"},
}
"""What is said of a ticket without the line that decides, and cannot be known to be wrong."""


@lru_cache
def errors_of(ticket: Path) -> list[str]:
    """As it is."""
    return disguise.errors(disguise.judged(ticket.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", LOOKS)
def test_what_only_looks_otherwise_is_the_same(name):
    for ticket in TICKETS:
        disguised = disguise.DISGUISES[name](ticket.read_text(encoding="utf-8"))
        assert disguise.errors(disguise.judged(disguised)) == errors_of(ticket), ticket.stem


@pytest.mark.parametrize("ticket", TICKETS, ids=lambda ticket: ticket.stem)
def test_a_ticket_without_one_of_its_lines_is_never_wrong(ticket):
    text = ticket.read_text(encoding="utf-8")
    before = disguise.errors(disguise.judged(text))
    allowed = {*before, *INHERENT.get(ticket.stem, ())}
    told = [disguise.outcome(disguise.judged(less), before, allowed) for less in disguise.without_a_line(text)]
    assert [one for one in told if one.startswith("wrong")] == []


def test_the_answer_pasted_after_the_question_decides():
    told = {}
    for ticket in TICKETS:
        text, roots = ticket.read_text(encoding="utf-8"), {*errors_of(ticket)}
        for rule, answers in disguise.answers_to(disguise.judged(text), roots):
            told[ticket.stem] = disguise.decided(disguise.judged(f"{text}\n{answers}"), rule, {rule})
    assert {*told.values()} == {"decided"}, told


def test_another_machines_dump_behind_a_ticket_is_kept_apart_and_named():
    from cudacheck.commands import doctor
    from cudacheck.judging import understood

    text = (Path(__file__).parent / "tickets" / "too-new-for-cu124.txt").read_text(encoding="utf-8")
    report = doctor.read(disguise.DISGUISES["another's dump behind it"](text))
    assert disguise.errors(report) == disguise.errors(doctor.read(text)) == ["gpu-too-new-for-build"]
    assert any("2.15.0" in line for line in understood.differing(report.facts))


def test_a_wrong_error_is_noticed():
    report = disguise.judged("Failed to initialize NVML: Driver/library version mismatch")
    assert disguise.outcome(report, ["no-gpu"], {"no-gpu"}).startswith("wrong")

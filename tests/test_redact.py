"""What a ticket must not carry is gone, what it is for stays, and it is judged as before."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

from cudacheck import report
from cudacheck.judging import judge
from cudacheck.probes.messages import ErrorMessage
from cudacheck.redact import Redactor, declarations, undeclared
from cudacheck.registry import fact_types

REPLAYS = sorted(Path(__file__).with_name("replays").glob("*.json"))
USERS = ("torch", "default", "pip", "error", "nvidia", "a")
GPU = "5f7a9c1e-0b2d-4c6f-8a1b-3d5e7f901234"


def clean(text: str) -> str:
    return Redactor("/home/ada").text(text)


@pytest.mark.parametrize("name", sorted(fact_types()))
def test_every_text_of_a_fact_says_what_it_holds(name):
    fact_type = fact_types()[name]
    hints = typing.get_type_hints(fact_type, include_extras=True)
    silent = [field.name for field in dataclasses.fields(fact_type) if undeclared(hints[field.name])]
    assert not silent
    assert declarations(fact_type).keys() == {field.name for field in dataclasses.fields(fact_type)}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.name)
def test_a_redacted_report_is_judged_as_before(path, user):
    text = path.read_text(encoding="utf-8").replace("/opt/", f"/home/{user}/").replace("/usr/local/", f"/home/{user}/")
    told = report.loads(text)
    told.facts.add(ErrorMessage(f"{user}@{user}: [Errno 13] /home/{user}/x", f"/home/{user}/log"))
    shown = report.redacted(told)
    assert f"/home/{user}" not in report.dumps(shown)
    # What is quoted for a shell may differ: a placeholder has to be.
    expected, got = (judge(r.facts) for r in (told, shown))
    assert [(f.rule, f.severity, f.caused_by, len(f.remedies)) for f in got.findings] == [
        (f.rule, f.severity, f.caused_by, len(f.remedies)) for f in expected.findings
    ]
    assert [u.rule for u in got.unchecked] == [u.rule for u in expected.unchecked]
    assert shown.verdict.state is told.verdict.state


def test_the_same_thing_has_the_same_placeholder():
    redactor = Redactor("/home/ada")
    shown = redactor.text(f"/home/ada/x /home/bob/y GPU-{GPU} ada@db7:~$ C:\\Users\\Ada Lovelace\\z")
    assert shown == "<home-1>/x <home-3>/y GPU-<gpu-1> <user-1>@<host-1>:~$ <home-2>\\z"
    assert redactor.text(f"again /home/bob and GPU-{GPU}") == "again <home-3> and GPU-<gpu-1>"
    assert redactor.text(shown) == shown


def test_a_process_keeps_its_program_alone():
    gpu_process = fact_types()["GpuProcess"](0, 7, name="/srv/x/bin/python train.py --customer acme")
    redactor = Redactor("")
    redactor.learn([gpu_process])
    assert redactor.fact(gpu_process)["name"] == "python"
    assert redactor.text(f"held by {gpu_process.name}") == "held by python"


@pytest.mark.parametrize(
    "character", [*"a0A-_.:/\\@=~ \t'\"<>#%", "\u0130", "a.", "a@", "://a", "token=", "0:", "1.", "ab-"]
)
def test_hostile_lines_take_bounded_work(character):
    """A pattern that were quadratic would run into the time limit of the tests."""
    assert isinstance(clean((character * 20000)[:20000]), str)

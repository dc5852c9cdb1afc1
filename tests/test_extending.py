"""What CONTRIBUTING says of new parts: one file each, found without another one being touched.

Each is put into a copy of the package, and seen to work from the command line.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from copies import Copy

pytestmark = pytest.mark.whole

RULE = '''"""The machine's name is a joke.

## What it does
Reads the name.

## Why it matters
It does not.

## What to do
Laugh.

## References
- https://docs.python.org/3/library/os.html
"""

from collections.abc import Iterator

from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import {imports}
from cudacheck.probes.host.system import System


def check(system: System) -> Iterator[Finding]:
    if system.os:
        yield Finding("this machine runs " + system.os, (Evidence("os " + system.os, system.found_in),))


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    check=check,
    fires={{"any": (System("linux"),)}},
    quiet={{"none": (System(""),)}},{more}
)
'''
PROBE = """from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

from cudacheck.model import holds
from cudacheck.probes import Probe


@dataclass(frozen=True)
class Weather:
    sky: holds.Term


@dataclass(frozen=True)
class Undeclared:
    sky: holds.Term


def collect() -> Iterator[object]:
    yield {told}("blue")


PROBE = Probe(collect, timeout_s=2.0, facts=(Weather,))
"""
FORMAT = """from cudacheck.model.report import Report
from cudacheck.render import Format, Shown


def render(report: Report, shown: Shown) -> str:
    return f"<state>{report.verdict.state}</state>\\n"


FORMAT = Format(render=render, endings=(".xml",), media_type="application/xml")
"""
REQUIREMENT = """from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.host.system import System
from cudacheck.requirements import _comparing
from cudacheck.requirements._requirement import Requirement, Seen


def look(facts):
    return [Seen(system.machine, "it is " + system.machine) for system in facts.all(System)]


REQUIREMENT = Requirement(
    compare=_comparing.words,
    look=look,
    fix_by=FixBy.NODE,
    remedies=lambda facts, wanted: (Remedy("buy " + wanted.spec),),
    title="the processor",
    example="processor=x86_64",
)
"""
SOURCE = """from collections.abc import Iterator, Sequence

from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.sources._source import Source


def facts(lines: Sequence[str]) -> Iterator[object]:
    for line in lines:
        if line.startswith("the torch here is "):
            yield TorchBuild(line.split()[-1], found_in="hearsay")


SOURCE = Source(facts=facts, trust=1)
"""


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def live(copy: Copy) -> dict[str, Any]:
    return copy.doctor("--no-bench", "--python", os.path.realpath(sys.executable))


def test_a_rule(copy):
    copy.add("rules/a_joke.py", RULE.format(imports="Rule", more=""))
    (found,) = [f for f in live(copy)["findings"] if f["rule"] == "a-joke"]
    assert found["message"] == "this machine runs linux"
    assert found["fix_by"] == "node"
    assert found["sources"] == ["https://docs.python.org/3/library/os.html"]
    assert "a-joke" in copy.run("explain").stdout


def test_a_root_cause_joins_its_family(copy):
    """And so explains what follows from any of the family, in whose files nobody writes its name."""
    more = "\n    joins=(Family.NO_DRIVER,),"
    copy.add("rules/a_joke.py", RULE.format(imports="Family, Rule", more=more))
    said = "RuntimeError: No CUDA GPUs are available\n" + "Linux version 6.8.0\nOS: Ubuntu 24.04 (x86_64)\n"
    said += "PyTorch version: 2.9.0\nIs CUDA available: False\n"
    causes = {f["rule"]: f["caused_by"] for f in copy.doctor("--from", "-", stdin=said)["findings"]}
    assert causes["a-joke"] is None
    assert "a-joke" in causes.values()


def test_a_misspelt_field_ends_the_import(copy):
    more = "\n    explained_bys=('no-gpu',),"
    copy.add("rules/a_joke.py", RULE.format(imports="Rule", more=more))
    done = copy.run("explain")
    assert "explained_bys" in done.stderr
    assert done.returncode == 4


def test_a_rule_that_names_no_rule(copy):
    more = "\n    explained_by=('no-such-rule',),"
    copy.add("rules/a_joke.py", RULE.format(imports="Rule", more=more))
    assert "no-such-rule" in copy.run("explain", "a-joke").stderr


@pytest.mark.parametrize("room", ["host", "patient"])
def test_a_probe(copy, room):
    copy.add(f"probes/{room}/weather.py", PROBE.format(told="Weather"))
    report = live(copy)
    assert report["facts"]["Weather"] == [{"sky": "blue"}]
    assert "Weather" in report["complete"]
    assert [run["outcome"] for run in report["probes"] if run["probe"] == "weather"] == ["ok"]


def test_a_fact_that_nobody_declared(copy):
    copy.add("probes/host/weather.py", PROBE.format(told="Undeclared"))
    (run,) = [run for run in live(copy)["probes"] if run["probe"] == "weather"]
    assert run["outcome"] == "failed"
    assert "Undeclared" in run["detail"]


def test_a_module_that_declares_nothing(copy):
    copy.add("probes/host/weather.py", "")
    assert "declares no PROBE" in copy.run("doctor", "--no-bench").stderr


def test_a_format(copy, tmp_path):
    copy.add("render/formats/xml.py", FORMAT)
    assert "xml" in copy.run("doctor", "--help").stdout
    paste = "torch==2.9.0+cu128\n"
    out = tmp_path / "a.xml"
    done = copy.run("doctor", "--from", "-", "--format", "xml", "--output", str(out), stdin=paste)
    assert done.stdout == "<state>not-proven</state>\n" == out.read_text(encoding="utf-8")


def test_a_requirement(copy):
    copy.add("requirements/processor.py", REQUIREMENT)
    here = ["--no-bench", "--python", os.path.realpath(sys.executable), "--require"]
    met = copy.doctor(*here, f"processor={os.uname().machine}")
    assert [one["state"] for one in met["requirements"]] == ["fulfilled"]
    unmet = copy.doctor(*here, "processor=6502")
    assert "buy processor=6502" in [r["title"] for f in unmet["findings"] for r in f["remedies"]]


def test_a_source(copy):
    copy.add("sources/hearsay.py", SOURCE)
    (build,) = copy.doctor("--from", "-", stdin="the torch here is 2.9.0+cu128\n")["facts"]["TorchBuild"]
    assert build["version"] == "2.9.0+cu128"

"""What CI systems and schedulers read, each read back by a reader of it: GitHub's grammar, junitparser, Prometheus."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from cudacheck import render
from cudacheck.cli.app import app
from cudacheck.commands.doctor import read
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Remedy, Severity
from cudacheck.model.report import Fulfilment, Report, RequirementResult, State, Verdict
from cudacheck.probes.chosen import Required
from cudacheck.probes.host.nvml import Gpu
from cudacheck.registry import rules

HERE = Path(__file__).parent
REPLAYS = {path.stem: path for path in sorted((HERE / "replays").glob("*.json"))}
SPECS = ("driver>=570", "driver>=990", "copy>=0.7", "nothing-like-it")
HOSTILE = 'x\x1b[31m\x07\n::error::owned\r\n##[error]owned %0A a:b,c ]]><b a="1">&amp;\u202e\ud800 `é'
NOT_READY = "torch==2.8.0+cu128\n"


def report_of(name: str) -> Report:
    return read(REPLAYS[name].read_text(encoding="utf-8"), required=[Required(spec) for spec in SPECS])


def hostile() -> Report:
    """Everything that a stranger may write holds what would break out of a line."""
    report = report_of("h200-doctor")
    gpu = dataclasses.replace(report.facts.all(Gpu)[0], name=HOSTILE, uuid=HOSTILE)
    remedy = Remedy(HOSTILE, (HOSTILE,))
    finding = Finding(HOSTILE, (Evidence(HOSTILE, HOSTILE),), (remedy,), (), Severity.ERROR, "no-gpu", FixBy.NODE)
    return dataclasses.replace(
        report,
        verdict=Verdict(State.BROKEN, HOSTILE),
        findings=(finding,),
        requirements=(RequirementResult(HOSTILE, Fulfilment.UNMET, HOSTILE, HOSTILE),),
        facts=Facts([gpu]),
    )


@pytest.fixture(params=[*REPLAYS, "hostile", "paste"])
def report(request) -> Report:
    if request.param == "paste":
        return read(NOT_READY)
    return hostile() if request.param == "hostile" else report_of(request.param)


# GitHub

COMMAND = re.compile(r"::(?P<name>error|warning|notice)(?: (?P<properties>[a-z]+=[^,:\r\n]*))?::(?P<message>[^\r\n]*)")
"""A workflow command as actions/runner reads it (ActionCommand.cs): what is escaped is escaped in both parts."""


def unescaped(text: str) -> str:
    for escape, letter in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, letter)
    return text


def test_github_reads_every_annotation(report):
    lines = render.as_text(report, "github").splitlines()
    commands = [present for line in lines if (present := COMMAND.fullmatch(line))]
    assert len(commands) == len(lines) - 1, lines
    assert not re.match(r"\s*(::|##\[)", lines[-1])
    kinds = [command["name"] for command in commands]
    assert kinds == sorted(kinds, key=["error", "warning", "notice"].index)
    roots = [f for f in report.findings if f.caused_by is None]
    for kind, severity in (("error", Severity.ERROR), ("warning", Severity.WARNING)):
        assert kinds.count(kind) == min(10, len([f for f in roots if f.severity is severity]))
    for command in commands:
        assert "%" not in re.sub(r"%(25|0D|0A|3A|2C)", "", command[0])
        assert re.sub(r"[\n]", "", unescaped(command["message"])).isprintable()
        assert unescaped(command["properties"] or "").startswith("title=")


def test_github_gets_ten_of_each_kind_at_most():
    found = tuple(
        Finding(f"{n}", (), (), (), severity, f"rule-{n}", FixBy.NODE)
        for severity in (Severity.WARNING, Severity.ERROR)
        for n in range(15)
    )
    report = dataclasses.replace(read(NOT_READY), findings=found)
    lines = render.as_text(report, "github").splitlines()
    assert [sum(line.startswith(f"::{kind} ") for line in lines) for kind in ("error", "warning")] == [10, 10]
    assert lines[0].startswith("::error ")


def test_github_gets_a_summary_and_outputs(tmp_path):
    summary, output, saved = tmp_path / "summary", tmp_path / "output", tmp_path / "report.json"
    summary.write_text("# what another step wrote\n")
    told = CliRunner().invoke(
        app,
        ["doctor", "--no-config", "--from", "-", "--format", "github", "-o", str(saved), "--require", "torch>=2.9"],
        input=NOT_READY,
        env={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)},
    )
    assert told.exit_code == 1
    assert told.stdout.startswith("::error title=requirement-failed::torch>=2.9 is not fulfilled: torch 2.8.0+cu128")
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# what another step wrote\n")
    headings = [token for token in MarkdownIt().parse(text) if token.type == "inline" and "torch" in token.content]
    assert headings
    assert output.read_text() == f"verdict=broken\nreport={saved}\n"


def test_github_files_that_cannot_be_written_are_exit_code_2(tmp_path):
    asked = ["doctor", "--no-config", "--from", "-", "--format", "github"]
    told = CliRunner().invoke(app, asked, input=NOT_READY, env={"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert told.exit_code == 2
    assert "cannot write" in told.stderr


# JUnit


def test_junit_has_a_case_for_every_rule_and_requirement(report):
    text = render.as_text(report, "junit")
    (suite,) = JUnitXml.fromstring(text.encode("utf-8"))
    cases = {(case.classname, case.name): case for case in suite}
    ids = {name for of, name in cases if of == "cudacheck.rules"}
    assert ids == {rule.id for rule in rules()} - {"requirement-failed"}
    assert suite.tests == len([*suite])
    failed = {name for name, case in cases.items() if any(isinstance(r, Failure) for r in case.result)}
    skipped = {name for name, case in cases.items() if any(isinstance(r, Skipped) for r in case.result)}
    assert (suite.failures, suite.skipped, suite.errors) == (len(failed), len(skipped), 0)
    errors = {f.rule for f in report.findings if f.severity is Severity.ERROR} - {"requirement-failed"}
    assert {name for of, name in failed if of == "cudacheck.rules"} == errors
    unfulfilled = [r for r in report.requirements if r.state is not Fulfilment.FULFILLED]
    assert len([of for of, _ in failed if of == "cudacheck.requirements"]) == len(unfulfilled)
    assert {name for of, name in skipped if of == "cudacheck.rules"} == {u.rule for u in report.unchecked} - errors


ORDER = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"skipped", "failure", "system-out"},
    "failure": set(),
    "skipped": set(),
    "system-out": set(),
}
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "skipped", "errors", "time", "timestamp", "hostname"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}


def test_junit_holds_what_its_schemas_allow(report):
    """Elements and attributes that Jenkins' junit-10.xsd knows."""
    for element in ET.fromstring(render.as_text(report, "junit")).iter():
        assert {child.tag for child in element} <= ORDER[element.tag]
        assert {*element.attrib} <= ATTRIBUTES[element.tag]
        if element.tag == "testsuite":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|", element.attrib["timestamp"])


@pytest.mark.parametrize(("not_proven", "kind"), [("pass", Skipped), ("fail", Failure), ("retry", Failure)])
def test_junit_skips_what_is_not_proven_unless_it_fails(not_proven, kind):
    (suite,) = JUnitXml.fromstring(render.as_text(read(NOT_READY), "junit", not_proven=not_proven).encode())
    (ready,) = [case for case in suite if case.name == "ready"]
    assert [type(result) for result in ready.result] == [kind]


# One line


def test_line_is_one_short_line_that_names_who_must_act(report):
    line = render.as_text(report, "line")
    assert len(line.encode("utf-8")) <= 80
    assert line.endswith("\n")
    assert line.rstrip("\n").isprintable()
    assert line.isascii()
    assert re.match(r"\[(node|container|environment|program)\] [a-z0-9-]+: .|\[(ready|not-proven)\] .", line)


@pytest.mark.parametrize("length", range(60, 90))
def test_line_is_cut_where_it_is_too_long(length):
    report = dataclasses.replace(read(NOT_READY), verdict=Verdict(State.NOT_PROVEN, "é" * length))
    assert len(render.as_text(report, "line").encode()) <= 80


# Prometheus


def test_prometheus_reads_every_metric(report):
    text = render.as_text(report, "prometheus")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    states = {sample.labels["state"]: sample.value for sample in families["cudacheck_state"].samples}
    assert {state for state, value in states.items() if value} == {report.verdict.state.value}
    assert set(states) == {state.value for state in State}
    told = {(s.labels["rule"], s.labels["severity"]) for s in families["cudacheck_finding"].samples}
    assert told == {(f.rule, str(f.severity)) for f in report.findings}
    met = [sample.value for sample in families["cudacheck_requirement_fulfilled"].samples]
    assert met == [float(r.state is Fulfilment.FULFILLED) for r in report.requirements]
    for family in families.values():
        keys = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(keys) == len(set(keys)), family.name


def test_prometheus_tells_figures_in_base_units():
    families = {
        f.name: f for f in text_string_to_metric_families(render.as_text(report_of("h200-bench-kernels"), "prometheus"))
    }
    (memory, *_) = families["cudacheck_gpu_memory_bytes"].samples
    assert memory.value == 143771 * 1024**2
    assert 0 <= families["cudacheck_gpu_utilization_ratio"].samples[0].value <= 1
    flops = [s for s in families["cudacheck_benchmark_flops"].samples if s.labels["case"] == "matmul"]
    assert all(1e12 < sample.value < 2e15 for sample in flops)
    assert families["cudacheck_knowledge_timestamp_seconds"].samples[0].value > 1.7e9


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian's package prometheus)")
def test_promtool_finds_nothing_amiss(report):
    text = render.as_text(report, "prometheus").encode()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_file_that_is_read_over_and_over_is_put_in_its_place_at_once(tmp_path):
    """Whoever has the old one open reads it to its end; nothing is left beside it."""
    path = tmp_path / "cudacheck.prom"
    path.write_text("old 1\n")
    asked = ["doctor", "--no-config", "--from", "-", "-q", "-o", str(path), "-o", f"line:{tmp_path / 'reason'}"]
    with path.open() as reading:
        told = CliRunner().invoke(app, asked, input=NOT_READY)
        assert reading.read() == "old 1\n"
    assert told.exit_code == 0
    assert [*text_string_to_metric_families(path.read_text(encoding="utf-8"))]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cudacheck.prom", "reason"]
    assert (tmp_path / "reason").read_text().startswith("[not-proven] ")


def test_in_a_folder_each_machine_has_its_own_file(tmp_path):
    saved = REPLAYS["schema-1.3"]
    told = CliRunner().invoke(
        app, ["doctor", "--no-config", "--from", str(saved), "-o", str(tmp_path), "-o", f"junit:{tmp_path}"]
    )
    assert told.exit_code in {0, 1}
    node = read(saved.read_text(encoding="utf-8")).subject.node or "report"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{node}.json", f"{node}.xml"]


def test_what_an_extra_brings_is_asked_for_before_the_work(monkeypatch):
    monkeypatch.setattr("cudacheck.cli.output.find_spec", lambda name: None if name == "prometheus_client" else 1)
    for asked in (["--format", "prometheus"], ["-o", "x.prom"]):
        told = CliRunner().invoke(app, ["doctor", "--no-config", "--from", "/no/such/file", *asked])
        assert told.exit_code == 2
        assert told.stderr.startswith("cudacheck: the format prometheus needs prometheus_client: ")
        assert told.stderr.endswith(" -m pip install 'cudacheck[prometheus]'\n")


def test_the_same_report_fails_in_the_file_as_in_the_exit_code(tmp_path):
    """`--fail-on` and `--not-proven` reach the formats that show what fails."""
    path = tmp_path / "junit.xml"
    for asked, failures in ((["--not-proven", "fail"], 1), ([], 0)):
        told = CliRunner().invoke(
            app, ["doctor", "--no-config", "--from", "-", "-o", str(path), *asked], input=NOT_READY
        )
        assert (told.exit_code > 0) is (failures > 0)
        assert JUnitXml.fromfile(str(path)).failures == failures

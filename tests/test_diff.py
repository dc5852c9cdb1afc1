"""`cudacheck diff`: what it reads, prints and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from patients import Patient
from pydantic import TypeAdapter
from test_comparing import H200, PLANTED
from test_screen import ATTACK, harmful_in
from typer.testing import CliRunner, Result

from cudacheck.cli.app import app
from cudacheck.comparing.document import DiffDocument
from cudacheck.render import formats
from cudacheck.reports.write import dumps

REPLAYS = Path(__file__).parent / "replays"
CAPTURES = Path(__file__).parent / "captures"
WELL = str(REPLAYS / "h200-doctor.json")
HIDDEN = "variable CUDA_VISIBLE_DEVICES"


def diff(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["diff", *arguments], input=stdin, env={"COLUMNS": "100"})


@pytest.fixture
def sick(tmp_path) -> str:
    path = tmp_path / "sick.json"
    path.write_text(dumps(PLANTED[HIDDEN]), encoding="utf-8")
    return str(path)


def test_the_same_is_0_something_else_1_and_nothing_to_compare_2(sick):
    assert diff(WELL, WELL).exit_code == 0
    assert diff(WELL, sick).exit_code == 1
    for alone in ((WELL,), (), (WELL, "/no/such/file"), (WELL, sick, "--python", "python3")):
        told = diff(*alone)
        assert (told.exit_code, told.stdout) == (2, "")


def test_the_reason_comes_first_then_what_differs(sick):
    told = diff(WELL, sick).stdout
    lines = [line.strip() for line in told.splitlines()]
    assert lines[0].startswith("✗ ")
    assert "gpus-hidden" in told
    assert told.index("rests on") < told.index("what differs")
    first = lines[lines.index("what differs") + 1]
    assert first.split("  ")[0] == HIDDEN
    assert first.endswith("none → empty")
    assert lines[-1] == f"what to do: cudacheck doctor --from {sick}"


def test_json_is_as_its_schema_says(sick):
    told = json.loads(diff(WELL, sick, "--format", "json").stdout)
    TypeAdapter(DiffDocument).validate_python(told)
    assert [report["state"] for report in told["reports"]] == ["ready", "broken"]
    reason = told["likely_reasons"][0]
    assert reason["rule"] == "gpus-hidden"
    assert told["differences"][reason["rests_on"][0]] == told["differences"][0]
    assert told["differences"][0]["what"] == HIDDEN
    assert (told["differences"][0]["expected"], told["differences"][0]["found"]) == (None, "")


def test_each_of_several_is_compared_with_the_first(sick):
    told = diff(WELL, WELL, sick, "--format", "json")
    assert told.exit_code == 1
    assert {row["report"] for row in json.loads(told.stdout)["differences"]} == {2}


def test_pastes_and_stdin_are_read(sick):
    paste = (CAPTURES / "h200-nvidia-smi.txt").read_text(encoding="utf-8")
    told = diff(WELL, "-", stdin=paste)
    assert told.exit_code == 0
    assert "in what both tell" in told.stdout


@pytest.mark.parametrize("name", formats("diff"))
def test_a_format_may_go_into_a_file_and_says_what_matters(sick, tmp_path, name):
    ending = {"text": ".txt", "json": ".json", "markdown": ".md", "html": ".html"}[name]
    file = tmp_path / f"difference{ending}"
    told = diff(WELL, sick, "--format", name, "--output", str(file))
    assert told.exit_code == 1
    assert file.read_text(encoding="utf-8") == told.stdout
    for word in ("CUDA_VISIBLE_DEVICES", "gpus-hidden"):
        assert word in told.stdout.replace("\\", "")


@pytest.mark.parametrize("name", formats("diff"))
def test_what_strangers_wrote_harms_nobody(tmp_path, name):
    report = json.loads(dumps(PLANTED[HIDDEN]))
    report["facts"]["EnvironmentVariables"][0]["values"].update({"LD_PRELOAD": ATTACK, ATTACK: "1"})
    report["facts"]["Gpu"][0]["name"] = ATTACK
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    told = diff(WELL, str(path), "--format", name)
    assert told.exit_code == 1
    assert not harmful_in(told.stdout)


def test_redact_takes_names_out_of_each(sick, tmp_path):
    report = json.loads(dumps(PLANTED[HIDDEN]))
    report["facts"]["EnvironmentVariables"][0]["values"]["LD_PRELOAD"] = "/home/lovelace/x.so"
    path = tmp_path / "named.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    assert "lovelace" in diff(WELL, str(path)).stdout
    told = diff(WELL, str(path), "--redact", "--format", "json")
    assert "<home-1>/x.so" in told.stdout
    assert "lovelace" not in json.loads(told.stdout)["differences"][0]["what"]


def test_more_than_a_screen_is_counted_and_shown_on_request(tmp_path):
    report = json.loads(dumps(H200))
    report["facts"]["EnvironmentVariables"][0]["values"].update({f"NCCL_{n:03}": "1" for n in range(60)})
    path = tmp_path / "many.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    short, whole = diff(WELL, str(path)).stdout, diff(WELL, str(path), "--verbose").stdout
    assert "and 30 more" in short
    assert "NCCL_059" not in short
    assert "NCCL_059" in whole


@pytest.mark.whole
def test_this_machine_is_compared_where_it_is_asked_for(tmp_path):
    """Twice the same machine and environment, and then the package that was installed in between."""
    patient, saved = Patient(tmp_path / "venv"), tmp_path / "saved.json"
    python = ("--no-bench", "--python", str(patient.python))
    CliRunner().invoke(app, ["doctor", *python, "--output", str(saved)])
    told = diff(str(saved), "--live", *python)
    assert (told.exit_code, told.stdout[:1]) == (0, "✓"), told.stdout
    patient.distribution("torchvision", "0.23.0")
    told = diff(str(saved), "--live", *python)
    assert told.exit_code == 1
    assert "package torchvision" in told.stdout

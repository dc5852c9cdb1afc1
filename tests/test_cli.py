"""The command line: exit codes, one clear line for what cannot be done, nothing harmful from strangers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from patients import CUDACHECK, Patient, clean_environment
from typer.testing import CliRunner, Result

from cudacheck import __version__, knowledge
from cudacheck.cli.app import app

pytestmark = pytest.mark.whole


def run(*arguments: str, stdin: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run(
        [*CUDACHECK, *arguments],
        input=data,
        capture_output=True,
        check=False,
        timeout=60,
        env={**clean_environment(), **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("doctor", "--python", "/no/such/python"), "no Python interpreter at /no/such/python"),
        (("doctor", "--ignore", "no-such-rule"), "no rule is called 'no-such-rule'"),
        (("doctor", "--output", "report.docx"), "cannot write .docx files"),
        (("doctor", "--output", "no-such-reports/"), "cannot write no-such-reports/: no such folder"),
        (("doctor", "--from", "/no/such/file"), "cannot read /no/such/file"),
        (("doctor", "--from", "/dev/null/x"), "cannot read /dev/null/x"),
        (("doctor", "--from", "x" * 5000), "cannot read xxx"),
        (("explain", "nonsense"), "no rule is called 'nonsense'"),
    ],
)
def test_bad_usage_is_one_clear_line_and_exit_2(arguments, said):
    told = run(*arguments)
    assert told.returncode == 2
    assert said in told.stderr.decode()
    assert len(told.stderr.decode().strip().splitlines()) == 1
    assert told.stdout == b""


def pasted(stdin: str | bytes, *options: str) -> Result:
    """In this process, where nothing catches what the command does not expect."""
    return CliRunner().invoke(app, ["doctor", "--from", "-", *options], input=stdin, catch_exceptions=False)


@pytest.mark.parametrize(
    "stdin",
    [
        "",
        "hello",
        "{}",
        "[]",
        "null",
        '{"schema_version": 3}',
        '{"schema_version": "99.0"}',
        "[" * 100_000,
        b"\xff\xfe\x00",
        b"\x00" * 1000,
        '{"schema_version": "1.0", "findings": 3, "verdict": {}}',
        '{"schema_version": "1.0", "facts": {"Gpu": [{"index": "x"}]}}',
    ],
    ids=range(12),
)
def test_rubbish_is_one_clear_line_and_exit_2(stdin):
    told = pasted(stdin)
    assert told.exit_code == 2, told
    assert len(told.stderr.strip().splitlines()) == 1
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("stdin", ["[" * 100_000, b"\xff\xfe\x00"], ids=["deep", "half a letter"])
def test_rubbish_is_no_internal_error(stdin):
    told = run("doctor", "--from", "-", stdin=stdin)
    assert told.returncode == 2, told
    assert len(told.stderr.decode().strip().splitlines()) == 1
    assert b"internal error" not in told.stderr


def test_escape_sequences_do_not_reach_the_terminal():
    text = (
        "\x1b]0;owned\x07 PyTorch version: 2.8.0+cu128\x1b[31m\n"
        "GPU models and configuration: GPU 0: NVIDIA \x1b[2JA10\nNvidia driver version: 535.1\x9b31m\n"
    )
    told = run("doctor", "--from", "-", "--verbose", stdin=text)
    assert told.returncode in {0, 1}
    assert not {b"\x1b", b"\x07"} & {told.stdout[i : i + 1] for i in range(len(told.stdout))}


def test_a_report_reads_back_and_is_judged_again(tmp_path):
    patient = Patient(tmp_path / "venv")
    patient.torch("2.8.0+cpu", None)
    saved = tmp_path / "report.json"
    live = patient.doctor("--output", str(saved), bench=False)
    again = run("doctor", "--from", str(saved), "--format", "json")
    findings = json.loads(again.stdout)["findings"]
    assert [f["rule"] for f in findings] == live.rules
    assert again.returncode == live.code


def test_exit_codes_follow_fail_on_strict_and_ignore(tmp_path):
    patient = Patient(tmp_path / "venv")
    sick = patient.doctor(bench=False)
    assert sick.code == 1
    asked = partial(patient.doctor_in_this_process, bench=False)
    assert asked("--fail-on", "never").code == 0
    ignored = [option for rule in sick.rules for option in ("--ignore", rule)]
    unproven = asked(*ignored)
    assert unproven.report["verdict"]["state"] == "not-proven"
    assert unproven.code == 0
    assert asked(*ignored, "--strict").code == 1


def test_a_c_locale_is_no_traceback(tmp_path):
    patient = Patient(tmp_path / "venv", environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    told = patient.doctor(bench=False, output_format="text")
    assert told.code == 1
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_prints_what_is_known_and_leaves_no_child(tmp_path, number):
    patient = Patient(tmp_path / "venv")
    marker = tmp_path / "child.pid"
    patient.torch(
        "2.8.0+cu128",
        "12.8",
        on_import=f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )
    doctor = subprocess.Popen(
        [*CUDACHECK, "doctor", "--python", str(patient.python), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        # Whoever started the tests in the background may have had it ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this process has one thread
    )
    for _ in range(600):
        if marker.exists() and marker.read_text():
            break
        time.sleep(0.05)
    doctor.send_signal(number)
    stdout, _ = doctor.communicate(timeout=30)
    assert doctor.returncode == 130
    assert json.loads(stdout)["facts"]["TorchBuild"][0]["version"] == "2.8.0+cu128"
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_another_operating_system_is_told_what_works_there(monkeypatch, platform):
    CliRunner().invoke(app, ["doctor", "--from", "/no/such/file"])  # what is imported late asks for the platform, too
    monkeypatch.setattr(sys, "platform", platform)
    told = CliRunner().invoke(app, ["doctor"])
    assert told.exit_code == 2
    assert "live probing is for Linux and WSL" in told.stderr
    assert "--from FILE" in told.stderr


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {**clean_environment(), "CUDACHECK": " ".join(CUDACHECK), **environment}
    return subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=60, env=variables)


def test_closed_and_full_streams_cost_nobody_a_traceback(tmp_path):
    patient = Patient(tmp_path / "venv")
    doctor = f"$CUDACHECK doctor --no-bench --python {patient.python}"
    closed_stderr = shell(f"{doctor} 2>&- --format json")
    assert json.loads(closed_stderr.stdout)["findings"]
    for script in (f"{doctor} >&-", f"{doctor} > /dev/full", "$CUDACHECK doctor --from - <&-"):
        assert b"Traceback" not in shell(script).stderr, script


def test_a_user_without_a_home_may_redact(tmp_path):
    patient = Patient(tmp_path / "venv")
    code = (
        "import os; from cudacheck.reports.redact import Redactor, _names; _names.ordinary_words(); "
        "os.environ.pop('HOME', None); "
        "os.setgroups([]); os.setuid(54321); print(Redactor().text('/home/ada/x'))"
    )
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without a home")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=patient.folder)
    assert told.stdout == "<home-1>/x\n", told.stderr


def test_bytes_that_are_no_text_do_not_cost_the_report(tmp_path):
    patient = Patient(tmp_path / "venv", environment={"PYTHONPATH": os.fsdecode(b"/nowhere/bad\xff")})
    saved = tmp_path / "report.json"
    told = patient.doctor("--output", str(saved), bench=False)
    assert told.code == 1
    assert json.loads(saved.read_text(encoding="utf-8"))["findings"]


def test_what_cannot_be_written_is_said_before_the_work():
    for path in ("/no/such/folder/x.json", "/dev/null/x.json"):
        told = run("doctor", "--output", path)
        assert told.returncode == 2
        assert b"cannot write" in told.stderr


@pytest.mark.parametrize("number", ["1" * 400, "1e400", "NaN", "-Infinity"])
def test_numbers_out_of_range_are_no_report(number):
    told = pasted(f'{{"schema_version": "1.0", "seconds": {number}, "verdict": {{}}}}')
    assert told.exit_code == 2
    assert "Traceback" not in told.stderr


def test_strict_never_passes_the_broken(tmp_path):
    patient = Patient(tmp_path / "venv")
    assert patient.doctor_in_this_process("--fail-on", "never", "--strict", bench=False).code == 1


def test_our_own_text_is_not_mistaken_for_a_paste(tmp_path):
    patient = Patient(tmp_path / "venv")
    text = patient.doctor(bench=False, output_format="text").stdout
    told = run("doctor", "--from", "-", stdin=text)
    assert told.returncode == 2
    assert b"ask for the report" in told.stderr


def test_a_hollow_pytorch_is_a_finding(tmp_path):
    patient = Patient(tmp_path / "venv")
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    (patient.site / "torch" / "__init__.py").write_text("")
    assert "torch-import-failed" in patient.doctor_in_this_process(bench=False).rules


def test_the_date_of_the_knowledge_is_told():
    day = knowledge.as_of()
    assert CliRunner().invoke(app, ["--version"]).stdout == f"cudacheck {__version__} (knowledge of {day})\n"
    told = pasted("torch==2.15.0+cu132\n", "--format", "json")
    report = json.loads(told.stdout)
    assert (report["schema_version"], report["knowledge_date"]) == ("1.3", day)
    assert f"knowledge of {day}" in pasted("torch==2.15.0+cu132\n").stdout
    # a report judged again is judged with today's knowledge; one of schema 1.0 has no date
    del report["knowledge_date"]
    again = pasted(json.dumps(report | {"schema_version": "1.0"}), "--format", "json")
    assert json.loads(again.stdout)["knowledge_date"] == day

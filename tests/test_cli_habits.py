"""What users know from other command lines: colours, short options, hints, completion, rules chosen by name."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from patients import CUDACHECK, clean_environment
from typer.main import get_command
from typer.testing import CliRunner, Result

from cudacheck.cli.app import app
from cudacheck.cli.options import FailOn, Proof
from cudacheck.judging import gate
from cudacheck.registry import rules

PASTE = "PyTorch version: 2.9.0.dev20250901+cpu\nGPU models and configuration: GPU 0: NVIDIA A10\n"
PASTE += "Nvidia driver version: 580.95.05\nIs CUDA available: False\n"


def judge(*options: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--no-config", "--from", "-", *options], input=PASTE, env=environment)


def test_the_command_line_and_the_gate_use_the_same_words():
    assert [proof.value for proof in Proof] == [one.value for one in gate.NotProven]
    assert [fail.value for fail in FailOn] == [*gate.FAILING]


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ([], {}, False),  # a pipe
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"CLICOLOR_FORCE": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ([], {"FORCE_COLOR": "0"}, False),
        ([], {"FORCE_COLOR": ""}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours(options, environment, coloured):
    clear = {"NO_COLOR": "", "FORCE_COLOR": "", "CLICOLOR_FORCE": ""}
    assert ("\x1b[" in judge(*options, **{**clear, **environment}).stdout) is coloured


def test_colours_are_for_the_text_alone():
    json.loads(judge("--color", "always", "--format", "json").stdout)


def test_quiet_is_the_first_line():
    whole, first = judge().stdout, judge("-q").stdout
    assert first == whole.splitlines()[0] + "\n"
    assert json.loads(judge("-q", "--format", "json").stdout)["findings"]


def test_short_options(tmp_path):
    assert CliRunner().invoke(app, ["-V"]).stdout == CliRunner().invoke(app, ["--version"]).stdout
    judge("-q", "-o", str(tmp_path / "a.json"), "-o", f"text:{tmp_path / 'b'}")
    assert json.loads((tmp_path / "a.json").read_text())["schema_version"]
    assert (tmp_path / "b").read_text(encoding="utf-8").startswith("✗ ")


def test_only_what_is_selected_is_judged():
    def found(*options: str) -> list[str]:
        return [f["rule"] for f in json.loads(judge("--format", "json", *options).stdout)["findings"]]

    assert "torch-cpu-build" in found()
    assert found("--select", "torch-nightly") == ["torch-nightly"]
    assert found("--select", "torch-nightly", "--ignore", "torch-nightly") == []
    assert found("--select", "torch-nightly", "--require", "torch>=9") == ["requirement-failed", "torch-nightly"]


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_the_nearest_rule_is_suggested(option):
    told = judge(option, "torch-nigthly")
    assert told.exit_code == 2
    assert told.stderr == "cudacheck: no rule is called 'torch-nigthly'; did you mean torch-nightly?\n"


def test_strict_and_another_not_proven_contradict_each_other():
    assert judge("--strict", "--not-proven", "retry").exit_code == 2
    assert judge("--strict", "--not-proven", "fail", "--select", "torch-nightly").exit_code == 1


def test_a_file_without_from_is_hinted_at():
    told = CliRunner().invoke(app, ["doctor", "report.json"])
    assert told.exit_code == 2
    assert told.stderr == "cudacheck: doctor takes no file by itself; `cudacheck doctor --from report.json` judges it\n"


@pytest.mark.whole
@pytest.mark.parametrize(("options", "hinted"), [([], True), (["--no-bench"], False)])
def test_what_is_piped_and_not_read_is_hinted_at(options, hinted, tmp_path):
    done = subprocess.run(
        [*CUDACHECK, "doctor", *options],
        input=PASTE.encode(),
        capture_output=True,
        check=False,
        timeout=60,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert (b"`cudacheck doctor --from -` judges what is piped to it" in done.stderr) is hinted


@pytest.mark.whole
def test_an_empty_or_closed_stdin_is_no_hint(tmp_path):
    for redirection in ("< /dev/null", "<&-"):
        command = f"{' '.join(CUDACHECK)} doctor {redirection}"
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, check=False, timeout=60, env=clean_environment(), cwd=tmp_path
        )
        assert b"standard input" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_every_shell(shell):
    installed = Path(sys.executable).with_name("cudacheck")
    if not installed.exists():
        pytest.skip("cudacheck is not installed beside this Python")
    variables = {**clean_environment(), "_CUDACHECK_COMPLETE": f"source_{shell}"}
    done = subprocess.run([installed], capture_output=True, text=True, check=False, timeout=60, env=variables)
    assert (done.returncode, "_CUDACHECK_COMPLETE" in done.stdout, done.stderr) == (0, True, "")
    if shell == "bash":
        words = {"_CUDACHECK_COMPLETE": "complete_bash", "COMP_WORDS": "cudacheck do", "COMP_CWORD": "1"}
        done = subprocess.run([installed], capture_output=True, text=True, check=False, env={**variables, **words})
        assert done.stdout.split() == ["doctor"]


@pytest.mark.parametrize("command", [[], ["bench"]])
def test_without_a_command_the_help_is_whole(command):
    done = subprocess.run([*CUDACHECK, *command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, "")
    assert "\n  -h, --help " in done.stdout


def test_explain_tells_programs():
    every = json.loads(CliRunner().invoke(app, ["explain", "--format", "json"]).stdout)
    assert [one["id"] for one in every["rules"]] == [rule.id for rule in rules()]
    (one,) = json.loads(CliRunner().invoke(app, ["explain", "driver-too-old", "--format", "json"]).stdout)["rules"]
    assert {"id", "severity", "layer", "fix_by", "title", "page", "messages", "sources", "formerly"} == {*one}
    assert (one["severity"], one["layer"], one["fix_by"]) == ("error", "driver", "node")
    assert one["page"].startswith("# driver-too-old")
    for asked in ("article", "driver-to-old"):
        told = CliRunner().invoke(app, ["explain", asked, "--format", "json"])
        assert (told.exit_code, told.stdout, len(told.stderr.splitlines())) == (2, "", 1)


def commands_of_all_groups():
    root: Any = get_command(app)
    for name in root.list_commands(None):
        command = root.get_command(None, name)
        yield from getattr(command, "commands", {name: command}).values()


@pytest.mark.parametrize("command", [*commands_of_all_groups()], ids=lambda command: command.name)
def test_values_that_typer_is_spared_become_what_it_would_make_of_them(command):
    """What is as it is typed is not converted (cli/conversion.py); the callbacks are asked all the same."""
    context = command.make_context(command.name, [], resilient_parsing=True)

    def outcome(convert, value):
        try:
            return convert(context, value)
        except (typer.BadParameter, typer.Exit) as error:
            return type(error), str(error)

    spared = [one for one in command.get_params(context) if isinstance(one.process_value, functools.partial)]
    assert spared or not hasattr(command.params[0], "type_descriptor")  # an older Typer converts by Click
    for option in spared:
        choices = option.type_descriptor.choices if option.type_descriptor.is_choice else []
        many = option.multiple or option.nargs == -1
        for value in (None, (), ("text", "7"), ["1"]) if many else (None, "text", "7", *choices):
            by_typer = option.process_value.args[1]
            assert outcome(option.process_value, value) == outcome(by_typer, value), (option.name, value)


@pytest.mark.parametrize("command", [["ticket", "--output", "t.md", "--from", "-"], ["diff", "-", "-"]])
def test_what_is_required_and_files_spare_pydantic_too(command, tmp_path):
    code = "import sys; from cudacheck.cli.app import run; run(); sys.exit(9 * ('pydantic' in sys.modules))"
    start = [sys.executable, "-c", code, *command]
    done = subprocess.run(start, cwd=tmp_path, input=PASTE, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_start_spares_pydantic():
    code = "import sys; from cudacheck.cli.app import run; run(); sys.exit('pydantic' in sys.modules)"
    arguments = ["doctor", "--from", "-", "--no-config", "--color", "never"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=PASTE, text=True, capture_output=True, timeout=60, check=False
    )
    assert "torch-cpu-build" in done.stdout
    assert done.returncode == 0


def test_a_misspelt_format_of_an_output_writes_no_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = judge("--output", "jsn:x")
    assert (told.exit_code, [*tmp_path.iterdir()]) == (2, [])
    assert told.stderr == "cudacheck: no format is called 'jsn'; did you mean json?\n"
    assert judge("--output", "a:b.json", "--exit-zero").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a:b.json"]

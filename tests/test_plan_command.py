"""`cudacheck plan` as it is typed: exit codes, JSON, files, the manual, and live on machines that are crafted."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from machine import Machine
from machines import bare_metal
from patients import CUDACHECK, clean_environment
from pydantic import TypeAdapter
from workshop import Workshop

from cudacheck.planning import InstallPlan, answer

pytestmark = pytest.mark.whole


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CUDACHECK, "plan", *arguments], capture_output=True, text=True, check=False, env=clean_environment()
    )


V100 = ("--gpu", "V100", "--driver", "580.95.05")


def test_exit_codes():
    assert run(*V100, "--python", "3.12").returncode == 0
    assert run(*V100, "--python", "3.15").returncode == 1
    for wrong in (
        ["--gpu", "none such"],
        [*V100, "--check"],
        [*V100, "--from", "-"],
        [*V100, "--emit", "apt"],
        ["--from", "-", "--python", "/usr"],
    ):
        done = run(*wrong)
        assert done.returncode == 2, wrong
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stdout == ""


def test_json_is_what_its_schema_says():
    for arguments in ((*V100, "--python", "3.12"), (*V100, "--python", "3.15"), ("--gpu", "H100", "vllm")):
        told = json.loads(run(*arguments, "--format", "json").stdout)
        TypeAdapter(InstallPlan).validate_python(told, strict=False)
        schema = answer.json_schema()
        assert set(told) == set(schema["properties"])
        if told["choice"]:
            assert set(told["choice"]) == set(schema["$defs"]["Chosen"]["properties"])


def test_emit_prints_the_file_alone():
    done = run(*V100, "--python", "3.12", "--emit", "uv")
    assert tomllib.loads(done.stdout)["project"]["dependencies"][0] == "torch==2.14.1"
    none = run(*V100, "--python", "3.15", "--emit", "uv")
    assert (none.returncode, none.stdout) == (1, "")
    assert "take Python 3.14" in none.stderr


def test_without_its_library_a_form_says_what_to_install():
    code = "import sys; sys.modules['tomlkit'] = None; from cudacheck.__main__ import main; main()"
    arguments = ["plan", "--gpu", "V100", "--driver", "580", "--python", "3.12", "--emit", "uv"]
    done = subprocess.run([CUDACHECK[0], "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cudacheck[plan]" in done.stderr


# The manual


MANUAL = (Path(__file__).parents[1] / "docs" / "plan.md").read_text(encoding="utf-8")
TYPED = list(dict.fromkeys(re.findall(r"^cudacheck (plan.*?)(?: +#.*)?$", MANUAL, re.MULTILINE)))
ELSEWHERE = [line for line in TYPED if "--gpu" in line or "--from" in line]
HERE = [line for line in TYPED if line not in ELSEWHERE]


@pytest.mark.parametrize("line", ELSEWHERE)
def test_what_the_manual_says_to_type(line, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torch>=2.6", "numpy"]\n')
    (tmp_path / "requirements.txt").write_text("torch\ntorchvision\n")
    (tmp_path / "tests").symlink_to(Path(__file__).parent)
    command, _, _ = line.partition(" >")
    done = subprocess.run(
        [*CUDACHECK, *shlex.split(command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**clean_environment(), "COLUMNS": "100"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = f"```sh\ncudacheck {line}\n```\n```text\n"
    if shown in MANUAL:
        assert MANUAL.partition(shown)[2].partition("```")[0] == done.stdout


def test_the_manual_shows_an_answer_and_what_is_typed_here():
    assert "```text" in MANUAL
    assert len(ELSEWHERE) > 10
    assert HERE == ["plan", "plan --python 3.12", "plan --check"]


# Live


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, fake_driver_folder) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("parts"), fake_driver_folder)


@pytest.fixture
def machine(workshop, tmp_path) -> Machine:
    machine = Machine(tmp_path, workshop)
    bare_metal(machine)
    return machine


def on(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    patient = machine.patient
    return subprocess.run(
        [*CUDACHECK, "plan", *arguments],
        env={**clean_environment(), **patient.environment},
        cwd=patient.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_on_the_machine_it_stands_on(machine):
    machine.set(FAKE_NAME="Tesla V100-SXM2-16GB", FAKE_CC="70")
    machine.driver("580.95.05", "13.0")
    python = str(machine.patient.python)
    told = json.loads(on(machine, "--python", python, "--format", "json").stdout)
    assert told["machine"]["gpus"] == ["Tesla V100-SXM2-16GB (7.0)"]
    assert told["machine"]["driver"] == "580.95.05"
    assert told["choice"]["tag"] == "cu126"
    assert any(python in line for line in told["choice"]["commands"])


@pytest.mark.parametrize("line", HERE)
def test_what_the_manual_says_to_type_here(machine, line):
    machine.set(VIRTUAL_ENV=str(machine.patient.folder))
    done = on(machine, *shlex.split(line)[1:])
    assert done.stderr == ""
    assert done.returncode == (1 if "--check" in line else 0)
    assert done.stdout


def test_another_python_gets_an_environment_of_its_own(machine):
    told = json.loads(on(machine, "--python", "3.13", "--format", "json").stdout)
    assert told["choice"]["python"] == "3.13"
    assert "venv" in told["choice"]["commands"][0]
    assert ".venv/bin/python" in told["choice"]["commands"][1]


def test_check_prints_the_difference(machine):
    python = str(machine.patient.python)
    done = on(machine, "--python", python, "torch==2.8.0", "--check")
    assert done.returncode in (0, 1)
    told = json.loads(on(machine, "--python", python, "torch", "torchvision", "--check", "--format", "json").stdout)
    differs = {each["package"]: each for each in told["difference"]}
    assert differs["torchvision"]["installed"] is None
    assert differs["torchvision"]["planned"] == told["choice"]["torchvision"]


def test_what_is_installed_already_is_not_installed_again(machine):
    machine.set(FAKE_NAME="NVIDIA A100-SXM4-80GB", FAKE_CC="80")
    machine.driver("580.95.05", "13.0")
    machine.torch("2.8.0+cu128", "12.8", "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120")
    machine.patient.distribution("torch", "2.8.0+cu128")
    python = str(machine.patient.python)
    done = on(machine, "--python", python, "torch<2.9", "--check")
    assert (done.returncode, done.stdout.splitlines()[0][:24]) == (0, "✓ installed as planned: ")
    whole = on(machine, "--python", python, "torch<2.9").stdout
    assert "nothing: it is installed as planned" in whole
    assert " install " not in whole
    newer = on(machine, "--python", python, "torch", "--check")
    assert newer.returncode == 1
    assert "2.8.0 (cu128) → 2." in newer.stdout


def test_a_partner_that_was_not_asked_for_stays_and_is_told(machine):
    machine.set(FAKE_NAME="Tesla V100-SXM2-16GB", FAKE_CC="70")
    machine.driver("580.95.05", "13.0")
    machine.torch("2.8.0+cu129", "12.9", "sm_75 sm_80")
    machine.patient.distribution("torch", "2.8.0+cu129")
    machine.patient.distribution("torchvision", "0.23.0+cu129")
    told = json.loads(on(machine, "--python", str(machine.patient.python), "torch", "--format", "json").stdout)
    commands = " ".join(told["choice"]["commands"])
    assert " uninstall -y torch" in commands
    assert "torchvision" not in commands
    assert [each["about"] for each in told["advice"] if "the installed torchvision" in each["says"]] == ["left out"]


def test_a_conda_user_stays_with_conda(machine):
    machine.set(FAKE_NAME="Tesla V100-SXM2-16GB", FAKE_CC="70")
    machine.driver("580.95.05", "13.0")
    machine.conda("pytorch", "2.8.0", "cuda128_py311")
    machine.conda("python", "3.11.7", "0")
    told = json.loads(on(machine, "--python", str(machine.patient.python), "--format", "json").stdout)
    assert told["choice"]["channel"] == "conda-forge"
    assert told["choice"]["commands"][0].startswith(f"conda install --prefix {machine.patient.folder} ")
    assert "installer" in {other["by"] for other in told["alternatives"]}


def test_from_a_report_and_a_paste(tmp_path):
    captures = Path(__file__).parent / "captures"
    done = run("--from", str(captures / "h200-nvidia-smi.txt"), "--python", "3.12", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["machine"]["compute_capabilities"] == ["9.0"]
    assert told["choice"]["torch"]
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("hello\n")
    assert run("--from", str(nothing)).returncode == 2

"""docs/ci.md, the action and the sample repository's workflow: every command in them is run, on a fake GPU."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from patients import CUDACHECK, Patient, clean_environment
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "tests" / "sample_repository"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GPU = {"FAKE_NAME": "NVIDIA GeForce RTX 4090", "FAKE_CC": "89", "FAKE_MEM_MB": "24564", "FAKE_DRIVER": "570.124.06"}
GPU |= {"FAKE_CUDA_VERSION": "12080", "STUB_PEAK_TFLOPS": "165"}
CU126 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
ELSEWHERE = {
    "/opt/cudacheck/bin": "bin",
    "/dev/termination-log": "termination-log",
}
ELSEWHERE |= {"/var/lib/node_exporter/textfile": "textfile"}
"""Paths of the guide's machines, and what stands for them in the test's folder."""


def blocks() -> Iterator[tuple[str, str, str]]:
    """(heading, language, text) of every block of the guide."""
    heading = ""
    tokens = MarkdownIt().parse(GUIDE)
    for before, token in itertools.pairwise(tokens):
        if before.type == "heading_open":
            heading = token.content
        if token.type == "fence":
            yield heading, token.info, token.content


def commands(language: str, text: str) -> list[list[str]]:
    """What a block has executed, each as a shell or the service starts it."""
    if language == "sh":
        return [["sh", "-c", text]]
    if language == "python":
        return [[sys.executable, "-c", text]]
    if language == "groovy":
        return [["sh", "-c", script] for script in re.findall(r'\bsh "([^"]+)"', text)]
    if language == "dockerfile":
        return [["sh", "-c", script] for script in re.findall(r"\bCMD (.+)", text)]
    return [[*command] for command in _of_yaml(yaml.safe_load(text))]


def _of_yaml(value: Any) -> Iterator[list[str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("script", "run", "command") and isinstance(one, list | str):
                lines: list[str] = [one] if isinstance(one, str) else one
                whole = [lines] if lines[0] == "cudacheck" else []
                yield from whole or [["sh", "-ec", line] for line in lines]
            else:
                yield from _of_yaml(one)
    elif isinstance(value, list):
        for one in value:
            yield from _of_yaml(one)


class Place:
    """A folder in which the guide's commands find what they name."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.patient = Patient(folder / "venv", environment=variables)
        (folder / "bin").mkdir()
        (folder / "textfile").mkdir()
        self.script("cudacheck", f'exec {shlex.join(CUDACHECK)} "$@"')
        self.script("scontrol", f'printf "%s\\n" "$@" > {folder}/scontrol')
        self.variables = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "CUDACHECK_PYTHON": str(self.patient.python),
            "SLURMD_NODENAME": "node7",
        }

    def script(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, command: list[str], cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        there = [self.moved(word) for word in command]
        return subprocess.run(
            there,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=cwd or self.folder,
            env={**clean_environment(), **self.patient.environment, **self.variables, **more},
        )

    def moved(self, word: str) -> str:
        for there, here in ELSEWHERE.items():
            word = word.replace(there, str(self.folder / here))
        return word


@pytest.fixture
def healthy(tmp_path, fake_driver) -> Place:
    place = Place(tmp_path, fake_driver(**GPU))
    place.patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    return place


@pytest.fixture
def sick(tmp_path, fake_driver) -> Place:
    """A driver that is too old for the PyTorch: the node's keeper may mend it, or who installs packages."""
    place = Place(tmp_path, fake_driver(**{**GPU, "FAKE_NVML_INIT": "9"}))
    place.patient.torch("2.8.0+cu126", "12.6", CU126)
    return place


RUNNABLE = [(heading, text, command) for heading, lang, text in blocks() for command in commands(lang, text)]
IDS = [f"{heading} {number}" for number, (heading, *_) in enumerate(RUNNABLE)]
EACH = pytest.mark.parametrize(("heading", "text", "command"), RUNNABLE, ids=IDS)


def test_every_block_of_the_guide_is_understood():
    of = {heading: len([1 for h, *_ in RUNNABLE if h == heading]) for heading, *_ in RUNNABLE}
    assert of == {
        "In a shell": 3,
        "GitHub Actions": 1,
        "GitLab": 1,
        "Jenkins": 1,
        "Buildkite": 1,
        "Docker": 1,
        "Kubernetes": 2,
        "Prometheus": 1,
        "In a program": 1,
    }
    assert len(re.findall(r"^```\w", GUIDE, re.MULTILINE)) == len([*blocks()])


@EACH
def test_every_command_of_the_guide_passes_on_a_machine_that_is_well(healthy, heading, text, command):
    healthy.run(["cudacheck", "doctor", "--no-bench", "--output", "cudacheck.json", "--exit-zero", "-q"])
    done = healthy.run(command)
    if heading == "In a program":  # the Python that runs it has no GPU here: that is what it must say
        assert "cudacheck.RequirementError: driver>=470 is not fulfilled" not in done.stderr
        assert "RequirementError" in done.stderr or done.returncode == 0
        return
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stderr == ""
    for path in healthy.folder.glob("*.xml"):
        assert JUnitXml.fromfile(str(path)).failures == 0
    for path in (healthy.folder / "textfile").glob("*.prom"):
        assert [*text_string_to_metric_families(path.read_text(encoding="utf-8"))]


@EACH
def test_no_command_of_the_guide_passes_on_a_machine_that_is_sick(sick, heading, text, command):
    sick.run(["cudacheck", "doctor", "--no-bench", "--output", "cudacheck.json", "--exit-zero", "-q"])
    done = sick.run(command)
    if heading == "Prometheus":  # it tells, and does not judge
        assert done.returncode == 0
        families = text_string_to_metric_families((sick.folder / "textfile" / "cudacheck.prom").read_text())
        states = {s.labels["state"]: s.value for f in families if f.name == "cudacheck_state" for s in f.samples}
        assert states["broken"] == 1
    else:
        assert done.returncode == 1, (done.stdout, done.stderr)
    if heading == "Kubernetes" and "termination-log" in text:
        assert re.match(r"\[node\] [a-z-]+: ", (sick.folder / "termination-log").read_text())


def slurm_script(place: Place) -> list[str]:
    """That of docs/slurm.md, with this folder in front of the PATH that it sets."""
    page = (ROOT / "docs" / "slurm.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh\n(#!/bin/sh\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    return ["sh", "-c", script.replace("PATH=/usr/sbin", f"PATH={place.folder}/bin:/usr/sbin")]


@pytest.mark.parametrize(("context", "code"), [("", 0), ("prolog_slurmd", 1)])
def test_a_sick_node_drains_itself_in_slurm(sick, context, code):
    """Without a Slurm; under a real one: test_slurm_node.py."""
    done = sick.run(slurm_script(sick), SLURM_SCRIPT_CONTEXT=context)
    told = (sick.folder / "scontrol").read_text().splitlines()
    assert done.returncode == code
    assert told[:3] == ["update", "NodeName=node7", "State=DRAIN"]
    assert re.fullmatch(r"Reason=cudacheck: \[node\] [a-z-]+: .{1,70}", told[3])


def test_neither_a_sound_node_nor_an_environment_that_a_user_broke_drains_one(healthy):
    for _ in range(2):
        assert healthy.run(slurm_script(healthy), SLURM_SCRIPT_CONTEXT="prolog_slurmd").returncode == 0
        healthy.patient.torch("2.8.0+cpu", None)
    assert not (healthy.folder / "scontrol").exists()


# The sample repository and the action


class Runner:
    """What of GitHub's runner the `run:` lines see."""

    def __init__(self, place: Place, work: Path) -> None:
        self.place, self.work = place, work
        self.files = {name: place.folder / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        self.variables = {**{k: str(v) for k, v in self.files.items()}, "RUNNER_TEMP": str(place.folder)}

    def step(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return self.place.run(shell, cwd=self.work, **self.variables, **more)

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.files["GITHUB_OUTPUT"].read_text().splitlines())


@pytest.mark.parametrize("state", ["healthy", "sick"])
def test_the_sample_repositorys_workflow_step_by_step(state, request, tmp_path):
    place: Place = request.getfixturevalue(state)
    work = tmp_path / "checkout"
    shutil.copytree(SAMPLE, work)
    runner = Runner(place, work)
    workflow = yaml.safe_load((SAMPLE / ".github" / "workflows" / "gpu.yml").read_text(encoding="utf-8"))
    steps = [step for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    config, gate, line = [runner.step(step["run"]) for step in steps]
    assert config.returncode == 0
    assert re.search(r"^require +torch>=2\.7 +pyproject\.toml:6$", config.stdout, re.MULTILINE)
    assert gate.returncode == (state == "sick"), gate.stdout
    assert bool(re.search(r"^::error title=", gate.stdout, re.MULTILINE)) is (state == "sick")
    specs = {one["spec"]: one["state"] for one in json.loads((work / "cudacheck.json").read_text())["requirements"]}
    assert specs == {"driver>=570": "unmet" if state == "sick" else "fulfilled", "torch>=2.7": "fulfilled"}
    assert (JUnitXml.fromfile(str(work / "cudacheck.xml")).failures > 0) is (state == "sick")
    summary = runner.files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    (first, *_) = [t.content for t in MarkdownIt().parse(summary) if t.type == "inline"]
    assert first.startswith("✗ " if state == "sick" else "? no fault found, not proven")
    assert runner.outputs == {"verdict": "broken" if state == "sick" else "not-proven", "report": "cudacheck.json"}
    assert line.returncode == 0
    assert line.stdout.startswith("[node] " if state == "sick" else "[not-proven] ")


def test_the_actions_gate_takes_its_inputs_from_variables(healthy, tmp_path):
    """What a workflow puts in is never part of the script: nothing in it is executed."""
    _, gate = ACTION["runs"]["steps"]
    assert "inputs." not in gate["run"]
    assert "${{" not in gate["run"]
    assert {name: value for name, value in gate["env"].items() if "inputs" not in value} == {}
    runner = Runner(healthy, tmp_path)
    own = tmp_path / "cudacheck" / "bin"
    own.mkdir(parents=True)
    (own / "cudacheck").symlink_to(tmp_path / "bin" / "cudacheck")
    inputs = {"CUDACHECK_REQUIRE": "gpu-name=RTX 4090\ndriver>=570\n", "ARGUMENTS": "--no-bench"}
    done = runner.step(gate["run"], **inputs)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert runner.outputs == {"verdict": "not-proven", "report": str(tmp_path / "cudacheck.json")}
    done = runner.step(gate["run"], **{**inputs, "CUDACHECK_REQUIRE": f"torch>=9; touch {tmp_path}/owned"})
    assert done.returncode == 2
    assert not (tmp_path / "owned").exists()


def test_the_action_installs_itself_into_an_environment_of_its_own(healthy, tmp_path):
    install, _ = ACTION["runs"]["steps"]
    with_index = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(tmp_path), "hatchling"]
    if subprocess.run(with_index, capture_output=True, check=False, timeout=100).returncode:
        pytest.skip("no package index to install from")
    before = healthy.patient.fingerprint()
    runner = Runner(healthy, tmp_path)
    done = runner.step(install["run"], OWN_PYTHON=sys.executable, GITHUB_ACTION_PATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    version = subprocess.run([tmp_path / "cudacheck" / "bin" / "cudacheck", "-V"], capture_output=True, check=True)
    assert version.stdout.startswith(b"cudacheck ")
    assert healthy.patient.fingerprint() == before


def test_outputs_and_inputs_are_named_alike_everywhere():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "gpu-gate.yml").read_text(encoding="utf-8"))
    called = workflow[True]["workflow_call"]  # YAML's own reading of the key `on`
    (step,) = [s for s in workflow["jobs"]["gate"]["steps"] if s.get("uses") == "./.cudacheck"]
    assert {*step["with"]} <= {*ACTION["inputs"]}
    assert {*step["with"]} <= {*called["inputs"]}
    assert {*ACTION["outputs"]} == {"verdict", "report"}
    for heading, language, text in blocks():
        if heading == "GitHub Actions" and language == "yaml":
            job = yaml.safe_load(text)["jobs"]["gate"]
            with_action = [s["with"] for s in job.get("steps", ()) if "with" in s]
            assert {key for given in with_action for key in given} <= {*ACTION["inputs"]}
            assert {*job.get("with", ())} <= {*called["inputs"]}

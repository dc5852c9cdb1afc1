"""Like another machine: each is like itself, and whatever is changed on it is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from patients import Patient
from typer.testing import CliRunner

from cudacheck import requirements
from cudacheck.cli.app import app
from cudacheck.commands.doctor import read
from cudacheck.model.facts import Facts
from cudacheck.model.report import Fulfilment
from cudacheck.probes.chosen import Required
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild

REPLAYS = {path.stem: path for path in sorted((Path(__file__).parent / "replays").glob("*.json"))}
GOOD = "h200-bench-kernels"


def facts_of(name: str) -> Facts:
    return read(REPLAYS[name].read_text(encoding="utf-8")).facts


def changed(facts: Facts, kind: Any, **fields: Any) -> Facts:
    """The same with these fields in every fact of the type; a function is given the old value."""

    def new(fact: Any) -> Any:
        if not isinstance(fact, kind):
            return fact
        known = {name: getattr(fact, name) for name in fields if getattr(fact, name) is not None}
        values = {name: fields[name](old) if callable(fields[name]) else fields[name] for name, old in known.items()}
        return dataclasses.replace(fact, **values)

    every = [new(fact) for of in facts.types() for fact in facts.all(of)]
    return Facts(every, [of for of in facts.types() if facts.is_complete(of)])


def unlike(facts: Facts, specs: tuple[str, ...]) -> dict[str, Fulfilment]:
    for spec in specs:
        facts.add(Required(spec))
    return {c.spec: c.state for c in requirements.checked(facts) if c.state is not Fulfilment.FULFILLED}


@pytest.mark.parametrize("name", REPLAYS)
def test_a_machine_is_like_itself(name):
    specs = requirements.of_a_machine_like(facts_of(name))
    assert {"gpus", "driver", "torch", "gpu-name"} <= {requirements.understood(spec)[1].name for spec in specs}
    assert unlike(facts_of(name), specs) == {}


CHANGES: dict[str, tuple[type, dict[str, Any], set[str]]] = {
    "another driver of the branch": (Nvml, {"driver_version": "580.65.06"}, set()),
    "another branch": (Nvml, {"driver_version": "570.124.06"}, {"driver"}),
    "another build": (TorchBuild, {"version": lambda old: old.partition("+")[0] + "+cu126"}, {"torch"}),
    "another CUDA": (TorchBuild, {"cuda": "12.6"}, {"torch-cuda"}),
    "another library": (LoadedLibrary, {"version": "9.9.9"}, {"libcublas.so.13", "nccl"}),
    "more GPUs": (TorchCuda, {"device_count": 8}, {"gpus"}),
    # and no H100 copies that fast: that is not believed
    "another model": (TorchDevice, {"name": "NVIDIA H100 80GB HBM3"}, {"gpu-name", "copy"}),
    "a little slower": (Measurement, {"tflops": lambda old: 0.85 * old}, set()),
    "slower": (Measurement, {"tflops": lambda old: 0.75 * old}, {"matmul-fp16"}),
    "slower memory": (Measurement, {"gb_per_s": lambda old: 0.75 * old}, {"copy"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_named(change):
    kind, fields, names = CHANGES[change]
    specs = requirements.of_a_machine_like(facts_of(GOOD))
    found = unlike(changed(facts_of(GOOD), kind, **fields), specs)
    told = {requirements.understood(spec)[1].name for spec in found}
    assert names <= told
    assert bool(names) is bool(told)
    if kind is not LoadedLibrary:
        assert told == names


def test_what_the_other_cannot_tell_is_not_alike():
    specs = requirements.of_a_machine_like(facts_of(GOOD))
    found = unlike(read("torch==2.11.0+cu130\n").facts, specs)
    assert Fulfilment.UNMET not in found.values()
    assert len(found) > 5


def test_a_report_that_says_nothing_is_refused(tmp_path):
    (tmp_path / "nothing.txt").write_text("Python 3.12.3\nOS: Ubuntu 24.04 (x86_64)\n")
    asked = ["doctor", "--no-config", "--from", "-", "--like", str(tmp_path / "nothing.txt")]
    told = CliRunner().invoke(app, asked, input="torch==2.8.0+cu128\n")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith(
        f"cudacheck: {tmp_path / 'nothing.txt'} says nothing that another machine could be like"
    )


@pytest.mark.whole
def test_from_end_to_end(tmp_path, fake_driver):
    gpu = {
        "FAKE_NAME": "NVIDIA GeForce RTX 4090",
        "FAKE_CC": "89",
        "FAKE_MEM_MB": "24564",
        "FAKE_CUDA_VERSION": "12080",
    }
    patient = Patient(tmp_path / "venv", environment=fake_driver(**gpu, FAKE_DRIVER="570.124.06"))
    patient.torch("2.8.0+cu126", "12.6", "sm_80 sm_86 sm_90", gpu=True)
    good = tmp_path / "good.json"
    first = patient.doctor("--output", str(good), bench=False)
    asked = ("--like", str(good), "--fail-on", "never")
    assert first.report["requirements"] == []
    same = patient.doctor(*asked, bench=False)
    assert (same.code, {one["state"] for one in same.report["requirements"]}) == (0, {"fulfilled"})
    patient.environment["FAKE_DRIVER"] = "580.95.05"
    other = patient.doctor(*asked, bench=False)
    assert other.code == 1
    (failed,) = [one for one in other.report["requirements"] if one["state"] != "fulfilled"]
    assert (failed["spec"], failed["said"]) == ("driver>=570,<571", "driver 580.95.05")
    assert failed["found_in"] == f"--like {good}"

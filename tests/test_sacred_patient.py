"""Any interpreter from 3.8 on can be inspected, and is the same to the last byte afterwards."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from patients import PYTHONS, Patient, clean_environment, interpreter_or_skip

from cudacheck.probes import chosen
from cudacheck.probing import interpreter as choosing

pytestmark = pytest.mark.whole


@pytest.mark.parametrize("version", PYTHONS)
def test_an_interpreter_without_anything_of_ours(tmp_path, version):
    patient = Patient(tmp_path / "venv", interpreter=interpreter_or_skip(version))  # without pip, too
    patient.torch("2.4.1+cu121", "12.1", "sm_80 sm_86 sm_90", requires=("nvidia-cudnn-cu12==9.1.0.70",))
    before = patient.fingerprint()
    told = patient.doctor_in_this_process(bench=False)
    assert patient.fingerprint() == before
    report = told.report
    assert report["facts"]["Interpreter"][0]["version"].startswith(version)
    assert report["facts"]["Interpreter"][0]["has_pip"] is False
    assert report["facts"]["TorchBuild"][0]["version"] == "2.4.1+cu121"
    assert report["facts"]["TorchBuild"][0]["arch_list"] == ["sm_80", "sm_86", "sm_90"]
    assert not [run for run in report["probes"] if run["outcome"] not in {"ok", "skipped"}], report["probes"]
    assert next(iter(report["facts"]["Patient"]))["found_via"] == "--python"


def test_a_pythonpath_that_shadows_torch_is_seen_and_untouched(tmp_path):
    patient = Patient(tmp_path / "venv")
    patient.torch("2.8.0+cu128", "12.8", "sm_80 sm_86")
    other = Patient(tmp_path / "other")
    other.torch("2.6.0+cu124", "12.4", "sm_80 sm_86")
    patient.environment["PYTHONPATH"] = str(other.site)
    before = patient.fingerprint(), other.fingerprint()
    told = patient.doctor(bench=False)
    assert (patient.fingerprint(), other.fingerprint()) == before
    assert told.report["facts"]["TorchBuild"][0]["version"] == "2.6.0+cu124"
    assert "torch-shadowed" in told.rules, told.rules


def test_the_choice_of_interpreter(tmp_path):
    patient = Patient(tmp_path / "venv")
    python = str(patient.python)
    assert choosing.find(str(patient.folder), {}).python == python
    assert choosing.find(None, {"VIRTUAL_ENV": str(patient.folder), "CONDA_PREFIX": "/nowhere"}) == chosen.Patient(
        python, "VIRTUAL_ENV"
    )
    assert choosing.find(None, {"CONDA_PREFIX": str(patient.folder)}).found_via == "CONDA_PREFIX"
    assert choosing.find(None, {"PATH": str(patient.python.parent)}).found_via == "PATH"
    assert choosing.find(None, {"PATH": "/nowhere"}) == chosen.Patient(sys.executable, "cudacheck's own")


def test_the_active_environment_is_what_is_inspected(tmp_path):
    patient = Patient(tmp_path / "venv")
    run = subprocess.run(
        [sys.executable, "-m", "cudacheck", "doctor", "--no-bench", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={**clean_environment(), "VIRTUAL_ENV": str(patient.folder)},
    )
    chosen = json.loads(run.stdout)["facts"]["Patient"][0]
    assert chosen == {"python": str(patient.python), "found_via": "VIRTUAL_ENV"}

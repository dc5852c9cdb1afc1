"""The gate through real processes: a driver, a PyTorch and a GPU that are not there, and the exit code of each."""

from __future__ import annotations

import json

import pytest
from patients import Doctor, Patient

import cudacheck

pytestmark = pytest.mark.whole

GPU = {"FAKE_NAME": "NVIDIA GeForce RTX 4090", "FAKE_CC": "89", "FAKE_MEM_MB": "24564", "FAKE_DRIVER": "570.124.06"}
GPU |= {"FAKE_CUDA_VERSION": "12080", "STUB_PEAK_TFLOPS": "165"}
CU126 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
TRUE = ["driver>=570", "torch>=2.7", "torch-cuda>=12.6", "compute-capability>=8.9", "gpus>=1", "gpu-name=RTX 4090"]
TRUE += ["gpu-memory>=24GB", "gpu-memory-free>=20GB", "glibc>=2.17", "python>=3.8"]
FALSE = ["driver>=580", "torch>=2.9", "torch-cuda>=13", "compute-capability>=9.0", "gpus>=2", "gpu-name=H200"]
FALSE += ["gpu-memory>=40GB", "gpu-memory-free>=30GB", "glibc>=9", "python>=4"]


def required(specs: list[str]) -> list[str]:
    return [word for spec in specs for word in ("--require", spec)]


def states(told: Doctor) -> dict[str, str]:
    return {one["spec"]: one["state"] for one in told.report["requirements"]}


@pytest.fixture
def patient(tmp_path, fake_driver):
    return Patient(tmp_path / "venv", environment=fake_driver(**GPU))


def test_ten_that_are_true_pass_and_each_of_ten_that_are_false_fails(patient):
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    passed = patient.doctor(*required(TRUE))
    assert (passed.code, set(states(passed).values())) == (0, {"fulfilled"}), passed.stdout
    failed = patient.doctor(*required(FALSE), "--fail-on", "never")
    assert (failed.code, set(states(failed).values())) == (1, {"unmet"}), failed.stdout
    assert len([rule for rule in failed.rules if rule == "requirement-failed"]) == 10


def test_speeds_are_measured_where_they_are_required(patient):
    """The stub's clock is its own: a matmul takes as long as at 80 % of the peak, a copy as long as at 90 %."""
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    asked = ["matmul-fp16>=0.6", "copy>=0.7", "attention!=math", "matmul-fp16>=0.9", "copy>=0.95", "attention=math"]
    told = patient.doctor(*required(asked), "--fail-on", "never")
    assert told.code == 1
    assert states(told) == {**dict.fromkeys(asked[:3], "fulfilled"), **dict.fromkeys(asked[3:], "unmet")}
    without = patient.doctor(*required(asked[:2]), "--fail-on", "never", "--not-proven", "retry", bench=False)
    assert without.code == 3
    assert states(without) == dict.fromkeys(asked[:2], "unchecked")
    assert "nothing was measured: benchmark skipped: --no-bench" in without.stdout


def test_a_package_that_has_nothing_to_do_with_cuda_is_looked_for(patient):
    patient.torch("2.8.0+cu126", "12.6", CU126)
    patient.distribution("Some.Thing", "1.5")
    asked = ["some-thing>=1.4", "some_thing<1.5", "nothing-like-it"]
    told = patient.doctor(*required(asked), bench=False)
    assert states(told) == {"some-thing>=1.4": "fulfilled", "some-thing<1.5": "unmet", "nothing-like-it": "unmet"}


@pytest.mark.parametrize(
    ("broken", "spec", "state"),
    [
        ({"FAKE_NVML_CRASH": "1"}, "driver>=570", "unchecked"),
        ({"FAKE_UTILIZATION": "90"}, "matmul-fp16>=0.1", "unchecked"),
        ({"FAKE_NDEV": "0"}, "gpu-name=RTX 4090", "unmet"),
        ({"LD_LIBRARY_PATH": ""}, "driver>=570", "unmet"),
    ],
    ids=["NVML crashes", "busy", "no GPU", "no driver"],
)
def test_what_is_broken_never_passes(patient, broken, spec, state):
    patient.environment.update(broken)
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu="FAKE_UTILIZATION" in broken)
    asked = (*required([spec]), "--fail-on", "never", "--ignore", "requirement-failed")
    told = patient.doctor(*asked, bench="FAKE_UTILIZATION" in broken)
    assert (told.code, states(told)[spec]) == (1, state), told.stdout
    assert patient.doctor(*asked, "--exit-zero", bench=False).code == 0


@pytest.mark.parametrize("ending", ["import os; os.abort()", "import time; time.sleep(1000)"], ids=["crash", "hang"])
def test_a_pytorch_that_dies_proves_no_gpu(patient, ending):
    patient.torch("2.8.0+cu126", "12.6", CU126, on_import=ending)
    asked = (*required(["gpus>=1", "torch>=2.8"]), "--fail-on", "never", "--timeout", "8")
    told = patient.doctor(*asked, "--not-proven", "retry", bench=False)
    assert states(told) == {"gpus>=1": "unchecked", "torch>=2.8": "fulfilled"}
    assert told.code == 3
    assert patient.doctor_in_this_process(*asked, bench=False).code == 1


def test_a_saved_report_keeps_what_was_required_of_it(patient, tmp_path):
    patient.torch("2.8.0+cu126", "12.6", CU126)
    saved = tmp_path / "report.json"
    live = patient.doctor(*required(["torch>=2.9"]), "--output", str(saved), bench=False)
    report = cudacheck.read(saved)
    assert [(r.spec, r.state.value) for r in report.requirements] == [("torch>=2.9", "unmet")]
    assert [f.rule for f in report.findings] == live.rules


def test_require_raises_with_the_words_of_the_findings(patient, monkeypatch):
    patient.torch("2.8.0+cu126", "12.6", CU126)
    for name, value in patient.environment.items():
        monkeypatch.setenv(name, value)
    cudacheck.require("driver>=570", "torch>=2.8", python=str(patient.python))
    with pytest.raises(cudacheck.RequirementError) as caught:
        cudacheck.require("driver>=580", "gpus>=1", python=str(patient.python))
    first, second = str(caught.value).splitlines()
    assert first == "driver>=580 is not fulfilled: driver 570.124.06"
    assert second.startswith("gpus>=1 is not fulfilled: PyTorch sees no GPU")
    assert caught.value.report.verdict.state.value == "broken"
    with pytest.raises(ValueError, match="no version specifier"):
        cudacheck.require("driver>>5")


def test_json_tells_what_became_of_each(patient):
    patient.torch("2.8.0+cu126", "12.6", CU126)
    told = patient.doctor(*required(["torch>=2.9"]), bench=False)
    (one,) = json.loads(told.stdout)["requirements"]
    assert one == {
        "spec": "torch>=2.9",
        "state": "unmet",
        "said": "torch 2.8.0+cu126 is installed",
        "found_in": "--require",
    }

"""Six simulated truths: what a person who knows the compatibility rules would say, on a fake driver.

The best other tool gets four of them right.
"""

from __future__ import annotations

import re

import pytest
from patients import Patient, in_this_process
from present import present

from cudacheck import knowledge

pytestmark = pytest.mark.whole

RTX_4090 = {"FAKE_NAME": "NVIDIA GeForce RTX 4090", "FAKE_CC": "89", "FAKE_MEM_MB": "24564"}
RTX_5090 = {"FAKE_NAME": "NVIDIA GeForce RTX 5090", "FAKE_CC": "120", "FAKE_MEM_MB": "32607"}
V100 = {"FAKE_NAME": "Tesla V100-SXM2-16GB", "FAKE_CC": "70", "FAKE_MEM_MB": "16384"}
A10 = {"FAKE_NAME": "NVIDIA A10", "FAKE_CC": "86", "FAKE_MEM_MB": "24564"}
DRIVER_535 = {"FAKE_DRIVER": "535.129.03", "FAKE_CUDA_VERSION": "12020"}
DRIVER_570 = {"FAKE_DRIVER": "570.124.06", "FAKE_CUDA_VERSION": "12080"}
DRIVER_580 = {"FAKE_DRIVER": "580.95.05", "FAKE_CUDA_VERSION": "13000"}

CU121 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
CU126 = CU121
CU128 = "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
CU130 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"


@pytest.fixture
def machine(tmp_path, fake_driver):
    def build(gpu: dict[str, str], driver: dict[str, str], **more: str) -> Patient:
        return Patient(tmp_path / "venv", environment=fake_driver(**gpu, **driver, **more))

    return build


def archs_that_a_remedy_brings(commands: list[str]) -> list[str]:
    """The arch list of the build that the first install command names, by the knowledge rows."""
    command = next(c for c in commands if "torch==" in c)
    version = present(re.search(r"torch==([\d.]+)", command))[1]
    tag = present(re.search(r"/whl/cu(\d+)", command))[1]
    return list(present(knowledge.archs_of(version, f"{tag[:-1]}.{tag[-1]}")))


@pytest.mark.parametrize(
    ("driver", "version", "cuda", "archs"),
    [(DRIVER_570, "2.8.0+cu126", "12.6", CU126), (DRIVER_535, "2.8.0+cu128", "12.8", CU128)],
    ids=[
        "RTX 4090, driver 570, cu126: sm_86 code runs on 8.9",
        "RTX 4090, driver 535, cu128: minor-version compatibility",
    ],
)
def test_ready(machine, driver, version, cuda, archs):
    patient = machine(RTX_4090, driver, STUB_PEAK_TFLOPS="165")
    patient.torch(version, cuda, archs, gpu=True)
    told = patient.doctor()
    assert told.roots == [], told.stdout
    assert told.code == 0
    verdict = told.report["verdict"]
    assert verdict["state"] == "ready", verdict
    assert "RTX 4090" in verdict["headline"]
    assert all(run["ok"] for run in told.report["facts"]["KernelRun"])


def test_never_ready_over_a_doubt(machine):
    """Launches that block are measured and not judged: the first line and the JSON say so."""
    patient = machine(RTX_4090, DRIVER_570, STUB_PEAK_TFLOPS="165", CUDA_LAUNCH_BLOCKING="1")
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    told = patient.doctor()
    assert told.roots == ["debug-switch-set"], told.stdout
    verdict = told.report["verdict"]
    assert verdict["state"] == "ready-but"
    assert verdict["headline"].startswith("ready, but CUDA_LAUNCH_BLOCKING=1 is set: every launch waits")
    assert verdict["headline"].endswith("; speed not judged")
    assert any("matmul of GPU 0: CUDA_LAUNCH_BLOCKING is set" in said for said in verdict["not_judged"])
    ignored = patient.doctor("--ignore", "debug-switch-set").report["verdict"]
    assert ignored["state"] == "ready"
    assert ignored["headline"] == "ready; speed not judged: CUDA_LAUNCH_BLOCKING is set"
    assert told.code == 0
    assert patient.doctor("--strict").code == 1
    assert patient.doctor("--not-proven", "retry").code == 3


def test_driver_too_old(machine):
    patient = machine(
        A10, DRIVER_535, STUB_TORCH_CUDA="warns: The NVIDIA driver on your system is too old (found version 12020)."
    )
    patient.torch("2.15.0+cu130", "13.0", CU130)
    told = patient.doctor()
    assert told.code == 1
    assert told.roots == ["driver-too-old"], told.stdout
    command = next(c for c in told.commands("driver-too-old") if "torch==" in c)
    assert "/whl/cu12" in command


def test_gpu_too_new_for_build(machine):
    patient = machine(RTX_5090, DRIVER_570, STUB_TORCH_CUDA="no-kernel-image")
    patient.torch("2.4.0+cu121", "12.1", CU121)
    told = patient.doctor()
    assert told.code == 1
    assert told.roots == ["gpu-too-new-for-build"], told.stdout
    assert "sm_120" in archs_that_a_remedy_brings(told.commands("gpu-too-new-for-build"))


def test_gpu_too_old_for_build(machine):
    patient = machine(V100, DRIVER_580, STUB_TORCH_CUDA="no-kernel-image")
    patient.torch("2.11.0+cu130", "13.0", CU130)
    told = patient.doctor()
    assert told.code == 1
    assert told.roots == ["gpu-too-old-for-build"], told.stdout
    assert "sm_70" in archs_that_a_remedy_brings(told.commands("gpu-too-old-for-build"))


def test_torch_cpu_build(machine):
    patient = machine(A10, DRIVER_580)
    patient.torch("2.8.0+cpu", None)
    told = patient.doctor()
    assert told.code == 1
    assert told.roots == ["torch-cpu-build"], told.stdout
    assert any("/whl/cu1" in command for command in told.commands("torch-cpu-build"))


@pytest.mark.parametrize("function", ["add", "matmul", "conv2d"])
def test_a_kernel_that_answers_wrong_is_never_ready(machine, function):
    patient = machine(RTX_4090, DRIVER_570, STUB_WRONG=function)
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    told = patient.doctor_in_this_process(bench=False)
    assert told.code == 1
    assert told.roots == ["kernel-failed"], told.stdout


def test_no_benchmark_is_not_proven(machine, tmp_path):
    patient = machine(RTX_4090, DRIVER_570)
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    told = patient.doctor(bench=False)
    assert told.code == 0
    assert told.report["verdict"]["state"] == "not-proven"
    assert "--no-bench" in told.report["verdict"]["headline"]
    (tmp_path / "report.json").write_text(told.stdout)
    again = ["doctor", "--from", str(tmp_path / "report.json"), "--format", "json", "--strict"]
    assert in_this_process(again, {}, tmp_path).code == 1

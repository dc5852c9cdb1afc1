"""Branches that no example of a rule and no sample of a reader shows: severities, edges, what agrees with what."""

from __future__ import annotations

import dataclasses

import pytest

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Severity
from cudacheck.probes.host.limits import ProcessLimit
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.patient.benchmark import Measurement
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.rules import _torch
from cudacheck.speed.baseline import Baseline

GIB = 1 << 30
ONE_GPU = (Gpu(0, "NVIDIA H200"), Nvml(library_found=True, init_code=0, gpu_count=1))


def severities(*facts: object) -> dict[str, Severity | None]:
    return {finding.rule: finding.severity for finding in judge(Facts(facts)).findings}


def pasted(text: str) -> Facts:
    return sources.read([("ticket.txt", text)])


@pytest.mark.parametrize(
    ("resource", "ran", "severity"),
    [
        ("address space", True, Severity.NOTE),
        ("address space", False, Severity.WARNING),
        ("open files", True, Severity.WARNING),
        ("processes", True, None),
    ],
)
def test_a_low_limit_by_which_nothing_failed(resource, ran, severity):
    kernels = [KernelRun(0, "addition", ok=True)] if ran else []
    limit = ProcessLimit(resource, 24, 24)
    assert severities(*ONE_GPU, limit, *kernels).get("process-limit-too-low") == severity


@pytest.mark.parametrize(
    ("version", "wanted", "is_so"),
    [("2.4.0", "2.4", True), ("2.3.9", "2.4", False), ("2.4.0.dev1+cu124", "2.4", True), (None, "2.4", False)],
)
def test_at_least(version, wanted, is_so):
    assert _torch.at_least(version, wanted) is is_so


def test_a_gpu_that_has_a_name_alone_is_one_of_that_name():
    gpus = pasted(
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-00000000-0000-0000-0000-000000000001)\n"
        "GPU 1: NVIDIA L4 (UUID: GPU-00000000-0000-0000-0000-000000000002)\n"
        ">>> torch.cuda.get_device_name()\n'NVIDIA L4'\n"
    ).all(Gpu)
    assert [(gpu.index, gpu.name) for gpu in gpus] == [(0, "NVIDIA A100-SXM4-40GB"), (1, "NVIDIA L4")]


def test_two_of_one_name_are_two():
    text = "0, NVIDIA L4, 550.54.15\n1, NVIDIA L4, 550.54.15\n"
    table = pasted("index, name, driver_version\n" + text)
    assert len(table.all(Gpu)) == 2


def test_a_file_whose_name_tells_no_version_is_no_package():
    whole = "flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    for name, version in ((whole, "2.8.3+cu12torch2.8cxx11abiTRUE"), ("flash_attn-main.zip", None)):
        found = pasted(f"torch==2.8.0\nflash-attn @ file:///tmp/{name}\n").all(Distribution)
        assert next((d.version for d in found if d.name == "flash-attn"), None) == version


def test_the_worst_of_two_slower_cases_is_told_and_the_other_counted():
    device = TorchDevice(0, "NVIDIA H200", uuid="GPU-1", compute_capability="9.0")

    def now(shape: str, us: float) -> Measurement:
        row = Measurement("matmul", "bfloat16", shape, 0, device_uuid="GPU-1", median_us=us, ci95_rel=0.002)
        return dataclasses.replace(row, sm_clock_mhz=1400.0, converged=True, ok=True)

    def then(shape: str) -> Baseline:
        return Baseline("matmul", "bfloat16", shape, "NVIDIA H200", "GPU-1", None, 1000.0, 0.002, 1400.0)

    one = [device, now("4096³", 2000.0), then("4096³")]
    (finding,) = (f for f in judge(Facts(one)).findings if f.rule == "slower-than-baseline")
    assert "more" not in finding.message
    two = [*one, now("8192³", 3000.0), then("8192³")]
    (finding,) = (f for f in judge(Facts(two)).findings if f.rule == "slower-than-baseline")
    assert "8192³" in finding.message
    assert finding.message.endswith("and 1 more")

"""Real captures (a healthy H200; PyTorch with and without CUDA on a machine without a GPU), read back and judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Severity
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild

CAPTURES = Path(__file__).with_name("captures")


def read(*names: str) -> Facts:
    return sources.read([(name, (CAPTURES / name).read_text(encoding="utf-8")) for name in names])


@pytest.mark.parametrize("name", ["h200-nvidia-smi.txt", "h200-nvidia-smi-q.txt", "h200-nvidia-smi-csv.txt"])
def test_nvidia_smi_of_an_h200(name):
    facts = read(name)
    (nvml,) = facts.all(Nvml)
    assert nvml.driver_version == "580.159.04"
    (gpu,) = facts.all(Gpu)
    assert gpu.name == "NVIDIA H200"
    assert gpu.memory_total_bytes == 143771 * 2**20
    assert gpu.power_limit_w == 700
    assert gpu.persistence_mode is True
    assert gpu.compute_mode == "default"
    assert gpu.mig_enabled is False


def test_collect_env_of_an_h200():
    facts = read("h200-collect_env.txt")
    (build,) = facts.all(TorchBuild)
    assert (build.version, build.cuda) == ("2.11.0+cu130", "13.0")
    (torch_cuda,) = facts.all(TorchCuda)
    assert torch_cuda.available
    assert [gpu.name for gpu in facts.all(Gpu)] == ["NVIDIA H200"]


def test_several_captures_of_one_machine_are_one_machine():
    facts = read("h200-nvidia-smi.txt", "h200-nvidia-smi-q.txt", "h200-collect_env.txt", "h200-pip-list.txt")
    assert len(facts.all(Nvml)) == len(facts.all(Gpu)) == 1
    (build,) = facts.all(TorchBuild)
    assert build.version == "2.11.0+cu130"


@pytest.mark.parametrize("name", ["h200-pip-list.txt", "h200-pip-freeze.txt"])
def test_package_lists_are_whole(name):
    facts = read(name)
    assert facts.is_complete(Distribution)
    assert {"torch": "2.11.0", "triton": "3.6.0"}.items() <= {
        d.name: d.version for d in facts.all(Distribution)
    }.items()


@pytest.mark.parametrize("name", sorted(path.name for path in CAPTURES.glob("h200-*.txt")))
def test_nothing_is_wrong_with_that_h200(name):
    found = judge(read(name)).findings
    assert not [finding for finding in found if finding.severity is not Severity.NOTE]

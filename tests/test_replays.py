"""Reports that a real H200 wrote, names and serials taken out, judged again by today's rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.model.findings import Severity
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary

REPLAYS = Path(__file__).with_name("replays")


@pytest.fixture(scope="module")
def h200():
    return sources.read([("h200-doctor.json", (REPLAYS / "h200-doctor.json").read_text(encoding="utf-8"))])


def test_the_healthy_machine_is_still_healthy(h200):
    assert [f.rule for f in judge(h200).findings if f.severity is not Severity.NOTE] == []
    assert {run.kernel for run in h200.all(KernelRun) if run.ok} >= {"addition", "float16 matmul", "convolution"}


def test_the_cudnn_that_is_named_is_the_one_that_was_loaded(h200):
    """The system holds 9.14, which collect_env names; the wheels brought 9.19, which is what PyTorch uses."""
    offered = {file.version for file in h200.all(LibraryFile) if file.soname == "libcudnn.so.9"}
    (loaded,) = {library.version for library in h200.all(LoadedLibrary) if library.soname == "libcudnn.so.9"}
    assert any(version.startswith("9.14") for version in offered)
    assert loaded.startswith("9.19")


@pytest.mark.parametrize("path", sorted(REPLAYS.glob("*.json")), ids=lambda path: path.name)
def test_nothing_in_a_replay_names_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?:GPU|MIG)-(?!0{8}-0{4})[0-9a-f]{8}-[0-9a-f-]+", text)
    assert "/home/" not in text.replace("/home/<user>", "")


def test_torch_and_nvml_speak_of_the_same_gpu(h200):
    assert {gpu.uuid for gpu in h200.all(Gpu)} == {run.device_uuid for run in h200.all(KernelRun)}

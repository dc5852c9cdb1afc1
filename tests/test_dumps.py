"""What other software prints is read as the facts that stand in it."""

from __future__ import annotations

from typing import Any

import pytest
from dumps import HELD, SEEN

from cudacheck import sources
from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild

FIELDS: dict[str, tuple[type, str]] = {
    "torch": (TorchBuild, "version"),
    "cuda": (TorchBuild, "cuda"),
    "archs": (TorchBuild, "arch_list"),
    "available": (TorchCuda, "available"),
    "driver": (Nvml, "driver_version"),
    "nvcc": (CudaToolkit, "version"),
    "os": (System, "os"),
    "wsl": (System, "wsl"),
    "python": (Interpreter, "version"),
}


def told(facts: Facts, key: str, expected: Any) -> Any:
    if key in FIELDS:
        kind, field = FIELDS[key]
        return getattr(facts.one(kind), field, f"no {kind.__name__}")
    if key == "gpus":
        return [gpu.name for gpu in facts.all(Gpu)]
    if key == "packages":
        return {found.name: found.version for found in facts.all(Distribution) if found.name in expected}
    if key == "pci":
        return [(gpu.address, gpu.device_id, gpu.driver) for gpu in facts.all(PciGpu)]
    module = facts.one(KernelModule)
    return module and (module.loaded, module.uvm_loaded)


@pytest.mark.parametrize("name", [*SEEN, *HELD])
def test_dump(name: str) -> None:
    text, expected = {**SEEN, **HELD}[name]
    facts = sources.read([("paste", text)])
    assert {key: told(facts, key, value) for key, value in expected.items()} == expected
    judge(facts)


def test_facts_of_one_build_do_not_complete_another() -> None:
    text = "PyTorch version: 2.6.0+cpu\nCUDA used to build PyTorch: None\n>>> torch.__version__\n'2.4.0+cu121'\n"
    build = sources.read([("paste", text)]).one(TorchBuild)
    assert build
    assert (build.version, build.cuda) == ("2.6.0+cpu", None)


def test_a_command_is_believed_last() -> None:
    command = "pip install torch==2.4.1 --index-url https://download.pytorch.org/whl/cu118"
    assert sources.read([("paste", f"{command}\ntorch==2.6.0+cpu")]).one(TorchBuild) == TorchBuild(
        "2.6.0+cpu", found_in="pip list"
    )
    other = command.replace("cu118", "cu121")
    facts = sources.read([("paste", f"{command}\n{other}\nnvidia-smi: Driver version: 550.54.15")])
    assert not facts.all(TorchBuild)


def test_a_row_of_a_package_list_is_no_dump() -> None:
    build = sources.read([("paste", "$ pip list | grep torch\ntorch                    2.12.0+cu130")]).one(TorchBuild)
    assert build is not None
    assert (build.version, build.found_in) == ("2.12.0+cu130", "pip list")


def test_one_gpu_under_two_numbers() -> None:
    listed = "GPU 0: NVIDIA GeForce RTX 3090 (UUID: GPU-1)\nGPU 1: NVIDIA RTX A2000 (UUID: GPU-2)\n"
    text = f"{listed}GPU 0: NVIDIA RTX A2000\nGPU 1: NVIDIA GeForce RTX 3090"
    assert len(sources.read([("paste", text)]).all(Gpu)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "CUDA version: 12.4",
        "Device: cuda:0 AMD Radeon RX 7900 XTX : native",
        "if torch.cuda.is_available():\n    print('hello')\nTrue",
        "cudnn version: 8.9.2",
        "Driver Version: 12040",
        "GPU: none",
        "- PyTorch version (GPU?): not installed (NA)",
    ],
)
def test_what_may_mean_something_else_is_left_out(line: str) -> None:
    facts = sources.read([("paste", f"CUDA_HOME=/usr/local/cuda\n{line}")])
    for kind in (TorchBuild, TorchCuda, Gpu, Nvml, CudaToolkit, Distribution):
        assert not facts.all(kind)

"""There is no NVIDIA GPU in this machine.

## What it does
Looks for an NVIDIA display or 3D controller on the PCI bus, and for anything else that only a machine with such a GPU
has: a driver that answers, its kernel module, its device files, its libraries. It speaks when the bus shows no
NVIDIA GPU, or when the bus is hidden and nothing at all hints at one. A driver that answers with a GPU outranks
everything else; under WSL and on Jetson the PCI bus says nothing.

## Why it matters
CUDA runs on NVIDIA GPUs only. `torch.cuda.is_available()` is False here whatever is installed, so installing drivers,
toolkits or other builds of PyTorch changes nothing.

## What to do
Run on a machine with an NVIDIA GPU: in a cloud, an instance type with one; in a virtual machine, have a GPU passed
through to it. Where the CPU is enough, a CPU build of PyTorch is smaller and needs no driver.

## References
- https://github.com/pytorch/pytorch/issues/74733
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine


def check(bus: PciBus, nvml: Nvml | None, system: System | None, facts: Facts) -> Iterator[Finding]:
    if _driver.owner(nvml, facts) != "no-gpu":
        return
    seen = Evidence("no NVIDIA GPU on the PCI bus", bus.found_in)
    if not bus.readable:
        seen = Evidence("no PCI devices shown, so a GPU could be there unseen", bus.found_in)
    yield Finding(
        _message(bus, system),
        evidence=(seen, *_driver.silence_evidence(facts)),
        remedies=tuple(_remedies(facts)),
        sources=("https://github.com/pytorch/pytorch/issues/74733",),
    )


def _remedies(facts: Facts) -> Iterator[Remedy]:
    environment = facts.one(EnvironmentVariables)
    if environment is not None and _driver.slurm_sign(environment):
        yield Remedy("start the job where there is a GPU: add --gres=gpu:1 to sbatch, srun or salloc")
    yield Remedy("run on a machine with an NVIDIA GPU; the CPU build of PyTorch works without one")
    if facts.is_complete(TorchBuild) and not facts.all(TorchBuild):
        yield remedies.cpu_build(facts)


def _message(bus: PciBus, system: System | None) -> str:
    if system is not None and system.os == "darwin":
        return "CUDA does not run on macOS: it needs an NVIDIA GPU and Linux or Windows"
    if bus.readable:
        return "this machine has no NVIDIA GPU, so CUDA has nothing to run on"
    where = "container" if _machine.in_container(system) else "machine"
    return f"no sign of an NVIDIA GPU in this {where}: no driver, and nothing that one leaves behind"


BARE = System(os="linux", container="", wsl=0, jetson=False)
DOCKER = System(os="linux", container="docker", wsl=0, jetson=False)
ABSENT = Nvml(library_found=False, init_code=12)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    joins=(
        Family.NO_DRIVER,
        Family.NO_KERNEL_MODULE,
    ),
    check=check,
    asks=(
        Ask(PciGpu, "no line, on a machine or virtual machine of its own", ""),
        Ask(System, "neither WSL nor Jetson", "Linux 6.8.0-45-generic x86_64"),
    ),
    fires={
        "an ordinary server": (BARE, PciBus(readable=True), ABSENT, LibCuda(found=False)),
        "a container on such a server": (DOCKER, PciBus(readable=True), ABSENT),
        "a sandbox that hides the bus, and nothing hints at a GPU": (DOCKER, PciBus(readable=False), ABSENT),
        "driver packages on a machine without a GPU": (
            BARE,
            PciBus(readable=True),
            Nvml(library_found=True, init_code=9),
            DriverLibrary("libcuda.so.1", "/usr/lib64/libcuda.so.1", "/usr/lib64/libcuda.so.580.95.05"),
        ),
        "an image with cuda-compat in it, on a machine without a GPU": (
            DOCKER,
            PciBus(readable=True),
            ABSENT,
            LibCuda(found=True, path="/usr/local/cuda-13.0/compat/libcuda.so.580.95.05", init_code=100),
        ),
        "a Slurm job on such a server": (
            EnvironmentVariables({"SLURM_JOB_ID": "4242"}),
            BARE,
            PciBus(readable=True),
            ABSENT,
        ),
        "macOS": (System(os="darwin", container=""), PciBus(readable=False), ABSENT),
        "PyTorch finds none, and nobody asked the driver": (BARE, PciBus(readable=True), TorchCuda(available=False)),
        "a server on which PyTorch is installed": (BARE, PciBus(readable=True), ABSENT, TorchBuild("2.8.0+cpu")),
    },
    quiet={
        "gVisor hides the bus, and NVML answers": (
            System(os="linux", container="docker", sandbox="gvisor"),
            PciBus(readable=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
        ),
        "WSL 2 shows no NVIDIA GPU on its bus": (
            System(os="linux", container="", wsl=2, jetson=False),
            PciBus(readable=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
        ),
        "Jetson: no NVML, no GPU on the bus, and cuInit works": (
            System(os="linux", container="", wsl=0, jetson=True),
            PciBus(readable=True),
            ABSENT,
            LibCuda(found=True, init_code=0, device_count=1),
        ),
        "the bus is empty, and nothing was asked for a GPU": (BARE, PciBus(readable=True)),
        "a GPU without a driver": (BARE, PciBus(readable=True), PciGpu("0000:01:00.0", "0x2684"), ABSENT),
        "a container that got device files": (
            DOCKER,
            PciBus(readable=True),
            DeviceNode("/dev/nvidiactl", exists=True),
            ABSENT,
        ),
    },
)

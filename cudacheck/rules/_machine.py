"""What the driver-side rules ask of a machine: WSL or not, device files, libraries, capabilities, and who said what."""

from __future__ import annotations

import re

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Remedy
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution

OTHER_MAKERS = re.compile(r"(?i)\b(?:AMD|Radeon|Instinct|Intel|Arc)\b|gfx\d")

ANY_DRIVER = "580.65.06"
"""A driver that serves every CUDA and every GPU since Maxwell."""


# What kind of machine


def wsl(system: System | None) -> int:
    """0, 1 or 2; read from the kernel's name where a paste tells no more."""
    if system is None:
        return 0
    if system.wsl is not None:
        return system.wsl
    if re.search(r"\bWSL ?1\b", system.distribution or ""):
        return 1
    names = f"{system.kernel} {system.distribution}"
    # WSL 1 gives Windows' build as its kernel: 4.4.0-19041-Microsoft
    return 2 if re.search(r"microsoft-standard|WSL ?2", names) else int("-Microsoft" in names)


def on_linux(system: System | None) -> bool:
    """Whether the driver is Linux's own, with kernel modules: no Windows, WSL or Jetson; unknown counts as yes."""
    return system is None or (system.os == "linux" and not wsl(system) and not system.jetson)


def in_container(system: System | None) -> bool:
    return system is not None and bool(system.container)


def drivers_of(system: System | None) -> tuple[str, ...]:
    """Whose driver versions count here, `linux` or `windows`; both where nobody told."""
    if system is None:
        return ("linux", "windows")
    return ("windows",) if system.os == "windows" or wsl(system) else ("linux",)


def wants_cuda(facts: Facts) -> bool:
    """Whether anything in sight is NVIDIA's or asks for CUDA: a GPU, a driver, a toolkit, wheels, an error text."""
    nvml, libcuda, module = facts.one(Nvml), facts.one(LibCuda), facts.one(KernelModule)
    return bool(
        any(not OTHER_MAKERS.search(gpu.name or "") for gpu in facts.all(Gpu))
        or facts.all(PciGpu)
        or (nvml and (nvml.driver_version or nvml.library_found or nvml.gpu_count))
        or (libcuda and libcuda.found)
        or (module and module.loaded)
        or passed_nodes(facts)
        or facts.all(CudaToolkit)
        or any(variable(facts, name) for name in ("CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES"))
        or any(re.fullmatch(r"nvidia-.+-cu\d+", dist.name) for dist in facts.all(Distribution))
        or any(re.search(r"(?i)cuda|nvidia|nvcc|cudnn|cublas|nccl", said.text) for said in facts.all(ErrorMessage))
    )


# Device files, libraries, capabilities


def passed_nodes(facts: Facts) -> list[str]:
    """The device files of NVIDIA's driver that are there."""
    wanted = re.compile(r"/dev/nvidia(ctl|\d+)$")
    return [node.path for node in facts.all(DeviceNode) if node.exists and wanted.match(node.path)]


def refused_nodes(nodes: tuple[DeviceNode, ...], error: str) -> list[DeviceNode]:
    """The device files that CUDA needs and that this process may not open, for this reason."""
    needed = re.compile(r"/dev/(nvidiactl|nvidia-uvm|nvidia\d+|dxg)$")
    return [node for node in nodes if node.open_error == error and needed.match(node.path)]


def is_compat(path: str | None) -> bool:
    """Whether this libcuda is of one of NVIDIA's cuda-compat packages."""
    return "/compat/" in (path or "")


def is_stub(path: str | None) -> bool:
    """Whether this libcuda is a toolkit's, made only to link against."""
    return "/stubs/" in (path or "")


def variable(facts: Facts, name: str) -> str | None:
    variables = facts.one(EnvironmentVariables)
    return variables.values.get(name) if variables else None


def lacks_capability(facts: Facts, needed: str) -> bool:
    """Whether the container asked for driver capabilities, and this one is not among them."""
    value = variable(facts, "NVIDIA_DRIVER_CAPABILITIES")
    return value is not None and not {word.strip() for word in value.split(",")} & {needed, "all"}


# GPUs on the PCI bus

BLACKWELL = 0x2900
"""The lowest PCI device id of Blackwell (GB100 0x2901, GB202 0x2b85); Hopper and Ada end below."""


def foreign(gpus: tuple[PciGpu, ...]) -> list[PciGpu]:
    """The GPUs that another kernel driver than NVIDIA's owns."""
    return [gpu for gpu in gpus if gpu.driver and gpu.driver != "nvidia"]


def blackwell(gpus: tuple[PciGpu, ...]) -> list[PciGpu]:
    """The GPUs of Blackwell and newer, which only the open kernel modules drive."""
    ids = re.compile(r"0x[0-9a-f]{1,4}$", re.IGNORECASE)
    return [gpu for gpu in gpus if ids.match(gpu.device_id) and int(gpu.device_id, 16) >= BLACKWELL]


# Evidence and words


def numbers(version: str | None) -> tuple[int, ...]:
    """`12.8` → (12, 8); empty where there is none, or none is understood."""
    found = re.match(r"(\d+)(?:\.(\d+))?", version or "")
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def major(version: str | None) -> int | None:
    return next(iter(numbers(version)), None)


def driver_evidence(nvml: Nvml | None) -> tuple[Evidence, ...]:
    if nvml is None or not nvml.driver_version:
        return ()
    return (Evidence(f"driver {nvml.driver_version}", nvml.found_in),)


def gpu_label(gpu: Gpu) -> str:
    return f"GPU {gpu.index} ({gpu.name})" if gpu.name else f"GPU {gpu.index}"


def names_of(gpus: list[Gpu]) -> str:
    """`GPU 0 (NVIDIA A100)`, or `GPUs 1, 2, 3`."""
    return gpu_label(gpus[0]) if len(gpus) == 1 else "GPUs " + ", ".join(str(gpu.index) for gpu in gpus)


def install_driver(facts: Facts) -> Remedy:
    """Install NVIDIA's driver; a command only where the distribution has one that needs no further choice."""
    system = facts.one(System)
    if drivers_of(system) == ("windows",):
        return Remedy("install the NVIDIA driver in Windows, from https://www.nvidia.com/drivers", needs_reboot=True)
    if system is not None and system.jetson:
        return Remedy("install NVIDIA's JetPack for this board: the driver is part of it", needs_root=True)
    commands = _commands(system, facts)
    title = "install the NVIDIA driver"
    if not commands:
        host = " on the host" if in_container(system) else ""
        title += f"{host}: of its distribution, or from https://www.nvidia.com/drivers"
    return Remedy(title, commands, needs_root=True, needs_reboot=True, verify="nvidia-smi")


def _commands(system: System | None, facts: Facts) -> tuple[str, ...]:
    if system is None or in_container(system):
        return ()
    if re.match("Ubuntu|Pop!_OS|Linux Mint", system.distribution or ""):
        return ("sudo apt install ubuntu-drivers-common", "sudo ubuntu-drivers install")
    return remedies.upgrade_driver(facts, ANY_DRIVER).commands

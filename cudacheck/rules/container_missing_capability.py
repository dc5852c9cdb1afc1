"""The container got only a part of the NVIDIA driver: compute (libcuda) or utility (NVML, nvidia-smi) is missing.

## What it does
Inside a container, compares the two libraries: NVML answers and libcuda cannot be loaded, or the other way round; and
reads NVIDIA_DRIVER_CAPABILITIES. Where CUDA itself works it is a warning.

## Why it matters
The container runtime mounts only the driver libraries that are asked for. Without `compute` nothing of CUDA runs
although `nvidia-smi` shows the GPU; without `utility` CUDA runs, and what asks NVML (nvidia-smi, vLLM, monitoring)
fails.

## What to do
Start the container with both: `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`, or set it with ENV in the image; in
Compose, `capabilities: [gpu, compute, utility]`.

## References
- https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
- https://github.com/mudler/LocalAI/issues/11973
- https://github.com/vllm-project/vllm/issues/3808
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine, _messages

VARIABLE = "NVIDIA_DRIVER_CAPABILITIES"


def check(
    _asked: EnvironmentVariables,
    system: System | None,
    nvml: Nvml | None,
    libcuda: LibCuda | None,
    torch: TorchCuda | None,
    facts: Facts,
) -> Iterator[Finding]:
    if torch is not None and not torch.available and libcuda is None and _machine.lacks_capability(facts, "compute"):
        build = facts.one(TorchBuild)
        if build is None or build.cuda or not build.cuda_known:
            seen = Evidence("PyTorch finds no GPU", torch.found_in)
            yield _finding("compute", "the container got the driver without its CUDA library", seen, facts)
        return
    if system is None or nvml is None or not system.container or system.jetson:
        return
    answers = nvml.init_code == 0 and bool(nvml.gpu_count)
    if answers and libcuda is not None and not libcuda.found and not _driver.computes(facts):
        seen = Evidence(libcuda.load_error or "no libcuda.so.1", libcuda.found_in)
        yield _finding("compute", "this container got the driver without its CUDA library", seen, facts)
    elif _driver.library_absent(nvml) and _driver.computes(facts):
        seen = Evidence("no libnvidia-ml.so.1, though CUDA works", nvml.found_in)
        message = "this container got the driver without NVML, so nvidia-smi and monitoring cannot work"
        yield _finding("utility", message, seen, facts, Severity.WARNING)
    elif _driver.owner_of_silence(nvml, facts) == "container-missing-capability":
        seen = Evidence("device files, but no libnvidia-ml.so.1", nvml.found_in)
        yield _finding("compute,utility", "this container got the GPU without the driver's libraries", seen, facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    library, nvml = match.groupdict().get("library"), facts.one(Nvml)
    needed = "utility" if library == "nvidia-ml" else "compute"
    shown = library == "cuda" and nvml is not None and bool(nvml.driver_version) and not _driver.computes(facts)
    if not _machine.lacks_capability(facts, needed) and (not shown or facts.is_answered(PciBus)):
        return
    message = "the container got the driver without its CUDA library"
    if needed == "utility":
        message = "the container got the driver without NVML (libnvidia-ml)"
    yield _finding(needed, message, _messages.quote(match, said), facts)


def _finding(needed: str, message: str, seen: Evidence, facts: Facts, severity: Severity | None = None) -> Finding:
    value = _machine.variable(facts, VARIABLE)
    asked = (Evidence(f"{VARIABLE}={value}", "environment"),) if value is not None else ()
    option = f"-e {VARIABLE}=compute,utility"
    remedy = Remedy(f"start the container with {option}; in Compose, capabilities: [gpu, compute, utility]")
    return Finding(f"{message}: capability {needed} is missing", (seen, *asked), (remedy,), severity=severity)


DOCKER = System(os="linux", container="docker", wsl=0, jetson=False)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_DRIVER,),
    explained_by=("container-without-gpu",),
    check=check,
    heard=heard,
    messages=(
        r"lib(?P<library>nvidia-ml|cuda)\.so\.1: cannot open shared object file",
        r"Found no NVIDIA driver on your system",
    ),
    asks=(
        Ask(
            EnvironmentVariables,
            "`NVIDIA_DRIVER_CAPABILITIES` without `compute`",
            "NVIDIA_DRIVER_CAPABILITIES=utility",
        ),
    ),
    fires={
        "NVML answers, and there is no libcuda": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=False),
            EnvironmentVariables({VARIABLE: "utility"}),
        ),
        "CUDA works, and there is no NVML": (
            DOCKER,
            Nvml(library_found=False, init_code=12),
            LibCuda(found=True, init_code=0, device_count=1),
            EnvironmentVariables({}),
        ),
        "neither, though device files are there": (
            DOCKER,
            PciBus(readable=True),
            PciGpu("0000:00:1e.0", "0x2236", driver="nvidia"),
            DeviceNode("/dev/nvidiactl", exists=True, open_error=""),
            Nvml(library_found=False, init_code=12),
            LibCuda(found=False),
            EnvironmentVariables({VARIABLE: "graphics"}),
        ),
        "a paste with the variable": (
            EnvironmentVariables({VARIABLE: "compute"}, complete=False, found_in="ticket.txt"),
            ErrorMessage("libnvidia-ml.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "PyTorch finds no GPU, and the variable says why": (
            EnvironmentVariables({VARIABLE: "utility"}, complete=False, found_in="ticket.txt"),
            TorchCuda(available=False, found_in="collect_env"),
        ),
        "PyTorch finds no driver, and the variable says why": (
            EnvironmentVariables({VARIABLE: "utility"}, complete=False, found_in="ticket.txt"),
            ErrorMessage("AssertionError: Found no NVIDIA driver on your system.", "ticket.txt"),
        ),
        "nvidia-smi works, libcuda is missing": (
            Nvml(library_found=None, driver_version="550.120", found_in="nvidia-smi"),
            ErrorMessage("ImportError: libcuda.so.1: cannot open shared object file: No such file", "ticket.txt"),
        ),
    },
    quiet={
        "a CPU build finds none wherever it runs": (
            EnvironmentVariables({VARIABLE: "utility"}, complete=False, found_in="ticket.txt"),
            TorchBuild("2.8.0+cpu"),
            TorchCuda(available=False, found_in="collect_env"),
        ),
        "no driver at all": (ErrorMessage("RuntimeError: Found no NVIDIA driver on your system.", "ticket.txt"),),
        "both there": (
            DOCKER,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=True, init_code=0, device_count=1),
            EnvironmentVariables({VARIABLE: "compute,utility"}),
        ),
        "no container": (
            System(os="linux", container="", wsl=0, jetson=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=False),
            EnvironmentVariables({}),
        ),
        "Jetson's containers have no NVML": (
            System(os="linux", container="docker", wsl=0, jetson=True),
            Nvml(library_found=False, init_code=12),
            LibCuda(found=True, init_code=0, device_count=1),
            EnvironmentVariables({}),
        ),
        "nothing of a driver: container-without-gpu": (
            DOCKER,
            Nvml(library_found=False, init_code=12),
            LibCuda(found=False),
            EnvironmentVariables({}),
            ErrorMessage("libcuda.so.1: cannot open shared object file", "ticket.txt"),
        ),
        "NVML starts in a container, and counts no GPU": (
            System(os="linux", container="docker"),
            Nvml(True, init_code=0, gpu_count=0),
            LibCuda(False),
        ),
    },
)

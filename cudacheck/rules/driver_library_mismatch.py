"""The driver's libraries and its loaded kernel module are of different versions.

## What it does
Asks NVML, which refuses with error 18 when its version is not the kernel module's, and cuInit, whose error 803 says
the same of libcuda. In a container, or with a libcuda of a cuda-compat package, 803 belongs to
`forward-compat-libcuda`.

## Why it matters
The two halves of the driver only talk to each other when they are of one version. It happens when an update (often
unattended) replaced the libraries while the old module stayed loaded, or when two ways of installing were mixed.

## What to do
Reboot: the new module is loaded then. Without a reboot, end everything that uses the GPU and load the module anew.
Containers must be created again after an update on the host.

## References
- https://github.com/NVIDIA/ubuntu-packaging-nvidia-driver/issues/3
- https://github.com/tinygrad/open-gpu-kernel-modules/issues/47
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(nvml: Nvml, libcuda: LibCuda | None, module: KernelModule | None, facts: Facts) -> Iterator[Finding]:
    seen = []
    if nvml.init_code == 18:
        seen.append(Evidence(f"nvmlInit 18: {nvml.init_error or 'Driver/library version mismatch'}", nvml.found_in))
    if libcuda is not None and libcuda.init_code == 803 and not _driver.loads_foreign_libcuda(facts):
        seen.append(Evidence(f"cuInit 803: {libcuda.init_error or 'unsupported driver combination'}", libcuda.found_in))
    if not seen:
        return
    loaded = module.version if module is not None else None
    library = _version(nvml.library) or (_version(libcuda.path) if libcuda is not None else None)
    if loaded and module is not None:
        seen.append(Evidence(f"kernel module {loaded}", module.found_in))
    if library:
        seen.append(Evidence(f"libraries {library}", nvml.library or nvml.found_in))
    versions = f": {library} and {loaded}" if library and loaded and library != loaded else ""
    yield _finding(f"the driver's libraries do not fit its loaded kernel module{versions}", tuple(seen), facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    combination = match.groupdict().get("combination")
    if _driver.is_past(said, facts) or (combination and _driver.loads_foreign_libcuda(facts)):
        return
    message = "the driver's libraries do not fit its loaded kernel module"
    yield _finding(message, (), facts)


def _finding(message: str, seen: tuple[Evidence, ...], facts: Facts) -> Finding:
    return Finding(message, seen, _remedies(facts.one(System)))


def _remedies(system: System | None) -> tuple[Remedy, ...]:
    if _machine.in_container(system):
        return (Remedy("reboot the host if nvidia-smi fails there too; then create this container anew"),)
    modules = "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia"
    reload = Remedy(
        "end all programs that use the GPU, the desktop too, and load the module anew",
        (modules, "sudo modprobe nvidia"),
        needs_root=True,
        verify="nvidia-smi",
    )
    return (remedies.reboot(), reload)


def _version(path: str | None) -> str | None:
    found = re.search(r"\.so\.(\d{3}\.\d+(?:\.\d+)?)$", path or "")
    return found[1] if found else None


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    joins=(Family.NO_DRIVER,),
    check=check,
    heard=heard,
    messages=(
        r"(?i)driver/library version mismatch",
        r"NVML/RM version mismatch",
        r"NVRM: API mismatch",
        rf"(?P<combination>{_driver.UNSUPPORTED_COMBINATION}|{_driver.numbered(803)})",
    ),
    asks=(
        Ask(
            Nvml,
            "`Driver/library version mismatch`",
            "Failed to initialize NVML: Driver/library version mismatch",
        ),
    ),
    fires={
        "unattended-upgrades replaced the libraries": (
            Nvml(
                library_found=True,
                library="/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.124.04",
                init_code=18,
                init_error="Driver/library version mismatch",
            ),
            KernelModule(loaded=True, version="570.124.06", found_in="/proc/driver/nvidia/version"),
        ),
        "cuInit says 803 on the machine itself": (
            System(os="linux", container="", wsl=0, jetson=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.575.57.08", init_code=803),
        ),
        "nvidia-smi says so": (
            ErrorMessage("Failed to initialize NVML: Driver/library version mismatch", "ticket.txt"),
        ),
        "the container runtime says so": (
            ErrorMessage(
                "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown.",
                "ticket.txt",
            ),
        ),
        "PyTorch says 803": (
            ErrorMessage(
                "Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display driver / cuda "
                "driver combination",
                "ticket.txt",
            ),
        ),
        "llama.cpp says it without a number": (
            ErrorMessage(
                "failed to initialize CUDA: system has unsupported display driver / cuda driver combination",
                "ticket.txt",
            ),
        ),
        "a module whose version nobody told": (Nvml(library_found=True, init_code=18), KernelModule(loaded=True)),
    },
    quiet={
        "the same version everywhere": (
            Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="570.124.06"),
            KernelModule(loaded=True, version="570.124.06"),
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06", init_code=0, device_count=1),
        ),
        "cuda-compat that works: versions differ by design": (
            Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="535.129.03"),
            KernelModule(loaded=True, version="535.129.03"),
            LibCuda(found=True, path="/usr/local/cuda/compat/libcuda.so.580.95.05", init_code=0, device_count=1),
        ),
        "803 in a container: forward-compat-libcuda": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            LibCuda(found=True, path="/usr/local/cuda/compat/libcuda.so.575.57.08", init_code=803),
        ),
        "an old line of the kernel log, and the GPU answers now": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, "NVIDIA A10"),
            ErrorMessage("NVRM: API mismatch: the client has the version 570.124.04", "kernel log (/dev/kmsg)"),
        ),
        "PyTorch says 803 in a container": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            ErrorMessage("Error 803: system has unsupported display driver / cuda driver combination", "ticket.txt"),
        ),
    },
)

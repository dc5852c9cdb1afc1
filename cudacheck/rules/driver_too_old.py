"""The NVIDIA driver is too old for the CUDA version that PyTorch was built with.

## What it does
Compares the driver with the oldest one that runs programs of this CUDA *major* version: 525.60.13 for any 12.x,
580.65.06 for any 13.x on Linux; WSL and Windows have numbers of their own. Also compares the CUDA that libcuda serves
with PyTorch's, and hears "The NVIDIA driver on your system is too old (found version N)". A PyTorch that was seen to
use the GPU is believed, whatever the numbers say: a cuda-compat package makes that possible.

## Why it matters
`torch.cuda.is_available()` is False and nothing runs on the GPU. The usual case today: `pip install torch` brings a
CUDA 13 build, and the driver is of a branch below 580. The "CUDA Version" that nvidia-smi prints is no limit within a
major version: a cu128 build runs on driver 535, which prints 12.2.

## What to do
Take a PyTorch build of the driver's CUDA major, or upgrade the driver. In a container the host's driver counts.

## References
- https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
- https://github.com/NVIDIA-BioNeMo/nvMolKit/issues/209
- https://github.com/pytorch/pytorch/issues/112553
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.facts import Facts
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.target.kernels import KernelRun
from cudacheck.probes.target.torch_cuda import TorchCuda
from cudacheck.probes.target.torch_files import TorchBuild
from cudacheck.report import Evidence, Finding, Layer, Remedy, Severity
from cudacheck.rules import _driver, _machine

SEVERITY = Severity.ERROR
LAYER = Layer.DRIVER
EXPLAINED_BY = (*_driver.NO_DRIVER, "stub-libcuda")
MESSAGES = (
    r"driver on your system is too old(?:\s+\(found\s+version\s+(?P<found>\d{4,5})\))?",
    r"CUDA driver version is insufficient for CUDA runtime version|cudaErrorInsufficientDriver",
    r"unsatisfied condition: cuda\s*>=\s*(?P<wanted>\d+\.\d+)",
)
SOURCES = (
    "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",
    "https://github.com/NVIDIA-BioNeMo/nvMolKit/issues/209",
)


def check(
    torch: TorchBuild, nvml: Nvml | None, libcuda: LibCuda | None, system: System | None, facts: Facts
) -> Iterator[Finding]:
    wanted = _major(torch.cuda)
    if torch.cuda is None or wanted is None or _driver.computes(facts) or _serves(libcuda, wanted):
        return
    served = _too_low(torch.cuda, wanted, nvml, libcuda, system)
    if served is None:
        return
    yield Finding(
        f"PyTorch cannot use this GPU: {served}, this build needs CUDA {wanted}",
        evidence=(
            *_seen(nvml, libcuda),
            Evidence(f"torch {torch.version}, built for CUDA {torch.cuda}", torch.found_in),
        ),
        remedies=_remedies(facts, torch.cuda),
        sources=SOURCES,
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    torch, named = facts.one(TorchBuild), match.groupdict()
    built = f" {torch.cuda}" if torch is not None and torch.cuda else ""
    message = f"the NVIDIA driver is older than CUDA{built}, which the program was built with, demands"
    if number := named.get("found"):
        serves = f"{int(number) // 1000}.{int(number) % 1000 // 10}"
        message = f"PyTorch cannot use this GPU: the driver serves CUDA {serves}, too old for this build"
    if wanted := named.get("wanted"):
        message = f"the container's image demands a driver that serves CUDA {wanted}, and the host's is older"
        remedies_ = (*_upgrade(facts, wanted), Remedy("or take an image of an older CUDA, with the same PyTorch in it"))
    else:
        remedies_ = _remedies(facts, torch.cuda if torch is not None else None)
    yield Finding(message, (_machine.quote(match, said),), remedies_, SOURCES)


def _too_low(cuda: str, wanted: int, nvml: Nvml | None, libcuda: LibCuda | None, system: System | None) -> str | None:
    """What the driver serves, when it is too little; None where it suffices or nobody can tell."""
    for serving in (libcuda.cuda_version if libcuda else None, nvml.cuda_version if nvml else None):
        major = _major(serving)
        if major is not None and 0 < major < wanted:
            return f"the driver serves CUDA {serving}"
    driver = nvml.driver_version if nvml is not None else None
    if driver is None or (system is not None and system.jetson):
        return None  # Jetson's drivers are numbered apart
    minima = [knowledge.minimum_driver(cuda, os) for os in _machine.drivers_of(system)]
    if all(minimum is not None and not knowledge.driver_at_least(driver, minimum) for minimum in minima):
        return f"driver {driver} is older than {minima[0]}"
    return None


def _serves(libcuda: LibCuda | None, wanted: int) -> bool:
    """Whether a libcuda that works is new enough: cuda-compat's may be, on an old driver."""
    if libcuda is None or libcuda.init_code != 0:
        return False
    return (_major(libcuda.cuda_version) or 0) >= wanted


def _major(version: str | None) -> int | None:
    digits = re.match(r"\d+", version or "")
    return int(digits[0]) if digits else None


def _seen(nvml: Nvml | None, libcuda: LibCuda | None) -> tuple[Evidence, ...]:
    seen = list(_machine.driver_evidence(nvml))
    if libcuda is not None and libcuda.cuda_version:
        seen.append(Evidence(f"libcuda serves CUDA {libcuda.cuda_version}", libcuda.path or libcuda.found_in))
    elif nvml is not None and nvml.cuda_version:
        seen.append(Evidence(f"CUDA {nvml.cuda_version}", nvml.found_in))
    return tuple(seen)


def _remedies(facts: Facts, cuda: str | None) -> tuple[Remedy, ...]:
    if cuda is None:
        return (*remedies.torch_build(facts), Remedy("or upgrade the NVIDIA driver to the newest branch for this GPU"))
    return tuple(dict.fromkeys((*remedies.torch_build(facts), *_upgrade(facts, cuda))))


def _upgrade(facts: Facts, cuda: str) -> tuple[Remedy, ...]:
    minimum = knowledge.minimum_driver(cuda, _machine.drivers_of(facts.one(System))[0])
    return (remedies.upgrade_driver(facts, minimum),) if minimum else ()


LINUX = System(os="linux", container="", wsl=0, jetson=False)
WSL = System(os="linux", container="", wsl=2, jetson=False)
CU132, CU128 = TorchBuild("2.15.0+cu132", cuda="13.2"), TorchBuild("2.8.0+cu128", cuda="12.8")
R535 = Nvml(library_found=True, init_code=0, driver_version="535.129.03", cuda_version="12.2", gpu_count=1)
FIRES = {
    "a CUDA 13 wheel on driver 535": (LINUX, R535, CU132),
    "cu102 on driver 418": (
        Nvml(library_found=None, driver_version="418.67", cuda_version="10.1"),
        TorchBuild("1.6.0", cuda="10.2"),
        TorchCuda(available=False),
    ),
    "libcuda serves less, NVML is silent": (
        LINUX,
        LibCuda(found=True, cuda_version="12.8", init_code=0, device_count=0),
        CU132,
    ),
    "PyTorch says so": (
        ErrorMessage(
            "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 12080). "
            "Please update your GPU driver",
            "ticket.txt",
        ),
    ),
    "the CUDA runtime says so": (
        ErrorMessage("CUDA driver version is insufficient for CUDA runtime version", "ticket.txt"),
    ),
    "the container runtime says so": (
        ErrorMessage(
            "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update your driver to "
            "a newer version, or use an earlier cuda container: unknown.",
            "ticket.txt",
        ),
    ),
}
QUIET = {
    "cu128 on 535: minor-version compatibility": (LINUX, R535, CU128),
    "cu124 on exactly 525.60.13": (
        LINUX,
        Nvml(library_found=True, init_code=0, driver_version="525.60.13", cuda_version="12.0"),
        TorchBuild("2.5.1+cu124", cuda="12.4"),
    ),
    "cu121 under WSL on Windows' 551.88": (
        WSL,
        Nvml(library_found=None, driver_version="551.88", cuda_version="12.4"),
        TorchBuild("2.4.0+cu121", cuda="12.1"),
    ),
    "cuda-compat that works on a data-centre board": (
        LINUX,
        R535,
        LibCuda(found=True, path="/usr/local/cuda/compat/libcuda.so.580.95.05", cuda_version="13.0", init_code=0),
        CU132,
    ),
    "CUDA 12 on driver 470, and a kernel ran": (
        LINUX,
        Nvml(library_found=True, init_code=0, driver_version="470.161.03", cuda_version="11.4"),
        CU128,
        KernelRun(0, "float16 matmul", ok=True),
    ),
    "a CPU build": (LINUX, R535, TorchBuild("2.15.0+cpu", cuda=None)),
}

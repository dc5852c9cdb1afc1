"""Code has to be compiled from PTX of a CUDA version that is newer than the driver.

## What it does
Speaks when the PyTorch build has no machine code for a GPU, only PTX to be compiled by the driver, and that PTX is of
a later CUDA than the driver knows; when the installed Triton brings the ptxas of a CUDA that the driver cannot serve at
all; and when CUDA says that the PTX was compiled with an unsupported toolchain. It is a warning until it has happened.

## Why it matters
Minor-version compatibility lets a cu128 build run on a driver of CUDA 12.2, but only its machine code. Compiling PTX
needs a driver at least as new as the toolkit that wrote it. Extensions that you compile, and what Triton makes, are
hit where PyTorch's own kernels are not.

## What to do
Upgrade the driver to the release that goes with the CUDA version in question, or take a PyTorch and extensions built
with a CUDA no newer than the driver's.

## References
- https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
- https://github.com/MadryLab/trak/issues/68
- https://github.com/triton-lang/triton/issues/3001
- https://github.com/pytorch/pytorch/issues/106144
- https://github.com/triton-inference-server/server/issues/2193
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _driver, _machine, _messages, _torch

FIRST_WITH_PTXAS = "2.2.1"
"""From here on the wheels for CUDA 11.8 bring its ptxas for torch.compile: pytorch#119750."""


def check(
    torch: TorchBuild,
    gpus: tuple[Gpu, ...] | None,
    nvml: Nvml | None,
    libcuda: LibCuda | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    served = _served(nvml, libcuda)
    if torch.cuda and served is not None:
        yield from _triton(torch, served, facts)
    if not torch.cuda or not torch.arch_list or served is None or any(run.ok for run in runs or ()):
        return
    built, driver = _machine.numbers(torch.cuda), _machine.numbers(served)
    if built[:1] != driver[:1] or driver >= built:
        return
    hit = [gpu for gpu in gpus or () if _needs_ptx(torch.arch_list, gpu)]
    if hit:
        yield Finding(
            f"{_machine.names_of(hit)} must compile PTX of CUDA {torch.cuda}, and the driver knows only CUDA {served}",
            evidence=(
                Evidence(f"torch {torch.version}: {' '.join(torch.arch_list)}", torch.found_in),
                Evidence(f"CUDA {served}", nvml.found_in if nvml is not None else "libcuda.so.1"),
                *_machine.driver_evidence(nvml),
            ),
            remedies=_remedies(facts, torch.cuda),
        )


def _triton(torch: TorchBuild, served: str, facts: Facts) -> Iterator[Finding]:
    """Triton's ptxas makes machine code, which a driver takes from any CUDA of its own major, and from no newer one."""
    triton, ptxas = _triton_of(facts)
    if _torch.at_least(torch.version, FIRST_WITH_PTXAS):
        return
    if ptxas is None or _machine.numbers(ptxas)[:1] <= _machine.numbers(served)[:1]:
        return
    yield Finding(
        f"torch.compile and Triton kernels cannot run: {triton} compiles with CUDA {ptxas}, the driver serves {served}",
        (Evidence(f"{triton} brings ptxas of CUDA {ptxas}", "installed packages"), _torch.build_evidence(torch)),
        _remedies(facts, ptxas),
    )


def _triton_of(facts: Facts) -> tuple[str, str | None]:
    """`triton 2.1.0`, and the CUDA of its ptxas, unless another one is named."""
    triton = _torch.triton(facts)
    if triton is None or _machine.variable(facts, "TRITON_PTXAS_PATH"):
        return "Triton", None
    return f"triton {triton.version}", knowledge.triton_ptxas(triton.version)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    torch, nvml = facts.one(TorchBuild), facts.one(Nvml)
    if "image is invalid" in _messages.printed(match):
        yield from _invalid_image(facts)
        return
    cuda = torch.cuda if torch is not None else None
    message = "the driver is older than the CUDA that this PTX was compiled with, and cannot compile it"
    seen = [*_machine.driver_evidence(nvml)]
    if torch is not None and cuda:
        seen.append(Evidence(f"torch {torch.version}, built for CUDA {cuda}", torch.found_in))
    yield Finding(message, tuple(seen), _remedies(facts, cuda), severity=Severity.ERROR)


def _invalid_image(facts: Facts) -> Iterator[Finding]:
    """Every Triton from 2.1 on brings a ptxas of CUDA 12; beside a driver that serves it, a broken cache says the same."""
    nvml = facts.one(Nvml)
    served = _served(nvml, facts.one(LibCuda))
    triton, ptxas = _triton_of(facts)
    if served is not None and _machine.numbers(served)[:1] < _machine.numbers(ptxas or "12")[:1]:
        yield Finding(
            f"the driver serves CUDA {served}, and cannot load what {triton} compiled with CUDA {ptxas or 12}",
            _machine.driver_evidence(nvml),
            _remedies(facts, ptxas or "12.0"),
            severity=Severity.ERROR,
        )


def _needs_ptx(archs: tuple[str, ...], gpu: Gpu) -> bool:
    capability = gpu.compute_capability or knowledge.capability_of(gpu.name or "")
    if not re.fullmatch(r"\d+\.\d", capability or "") or capability is None or not knowledge.covers(archs, capability):
        return False
    return not knowledge.covers([arch for arch in archs if arch.startswith("sm_")], capability)


def _served(nvml: Nvml | None, libcuda: LibCuda | None) -> str | None:
    """The newest CUDA that the driver serves: what compiles PTX."""
    if libcuda is not None and libcuda.cuda_version:
        return libcuda.cuda_version
    if nvml is None:
        return None
    return nvml.cuda_version or (knowledge.driver_serves(nvml.driver_version) if nvml.driver_version else None)


def _remedies(facts: Facts, cuda: str | None) -> tuple[Remedy, ...]:
    other = Remedy("take a PyTorch, and build extensions, with a CUDA no newer than the driver's (nvidia-smi shows it)")
    os = _machine.drivers_of(facts.one(System))[0]
    driver = knowledge.toolkit_driver(cuda, os) if cuda else None
    if driver:
        return (remedies.upgrade_driver(facts, driver), other)
    return (Remedy("upgrade the NVIDIA driver to the release of the CUDA that the code was compiled with"), other)


R535 = Nvml(library_found=True, init_code=0, gpu_count=1, driver_version="535.129.03", cuda_version="12.2")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.DRIVER,
    fix_by=FixBy.NODE,
    explained_by=("driver-too-old", "debug-switch-set"),
    check=check,
    heard=heard,
    messages=(
        r"provided PTX was compiled with an unsupported\s+toolchain",
        r"cudaErrorUnsupportedPtxVersion|CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        _driver.numbered(222),
    ),
    fires={
        "Triton 2.1 on driver 460": (
            TorchBuild("2.1.0+cu118", cuda="11.8"),
            Distribution("triton", "2.1.0"),
            Nvml(library_found=None, driver_version="460.91.03"),
        ),
        "Triton's kernel on driver 470": (
            Nvml(library_found=None, driver_version="470.182.03", cuda_version="11.4"),
            ErrorMessage("RuntimeError: Triton Error [CUDA]: device kernel image is invalid", "ticket.txt"),
        ),
        "a build with PTX alone for this GPU": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0, "NVIDIA H100 80GB HBM3", compute_capability="9.0"),
        ),
        "CUDA says so": (
            ErrorMessage("CUDA error: the provided PTX was compiled with an unsupported toolchain.", "ticket.txt"),
        ),
        "PyTorch's CUDA is known, too": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage("CUDA error: the provided PTX was compiled with an unsupported toolchain.", "ticket.txt"),
        ),
        "of a CPU build nothing follows": (
            TorchBuild("2.8.0+cpu"),
            ErrorMessage("CUDA error: the provided PTX was compiled with an unsupported toolchain.", "ticket.txt"),
        ),
        "the GPU is known by its name, the driver by its version": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            Nvml(library_found=True, init_code=0, driver_version="535.129.03"),
            Gpu(0, "NVIDIA H100 80GB HBM3"),
        ),
        "TensorRT names the number alone": (
            ErrorMessage("[TensorRT] ERROR: CUDA initialization failure with error 222. Please check", "log"),
        ),
    },
    quiet={
        "a PyTorch that brings a ptxas of CUDA 11.8 itself": (
            TorchBuild("2.4.0+cu118", cuda="11.8"),
            Distribution("triton", "3.0.0"),
            Nvml(library_found=None, driver_version="470.182.03"),
        ),
        "Triton 3.4 on driver 535": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("triton", "3.4.0"),
            R535,
        ),
        "Triton 2.1 on driver 460, with another ptxas": (
            TorchBuild("2.1.0+cu118", cuda="11.8"),
            Distribution("triton", "2.1.0"),
            Nvml(library_found=None, driver_version="460.91.03"),
            EnvironmentVariables({"TRITON_PTXAS_PATH": "/usr/local/cuda-11.2/bin/ptxas"}),
        ),
        "Triton's kernel on a driver that serves it": (
            R535,
            ErrorMessage("RuntimeError: Triton Error [CUDA]: device kernel image is invalid", "ticket.txt"),
        ),
        "Triton's kernel, and nobody knows the driver": (
            ErrorMessage("RuntimeError: Triton Error [CUDA]: device kernel image is invalid", "ticket.txt"),
        ),
        "cu128 on driver 535, with machine code for the GPU": (
            TorchBuild("2.8.0+cu128", cuda="12.8", arch_list=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")),
            R535,
            Gpu(0, "NVIDIA GeForce RTX 4090", compute_capability="8.9"),
        ),
        "PTX, and a driver that is as new": (
            TorchBuild("2.8.0a0+git", cuda="12.2", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0, "NVIDIA H100 80GB HBM3", compute_capability="9.0"),
        ),
        "a kernel ran": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0, "NVIDIA H100 80GB HBM3", compute_capability="9.0"),
            KernelRun(0, "float16 matmul", ok=True),
        ),
        "a GPU that nobody named": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0),
        ),
        "a capability that is none": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0, compute_capability="N/A"),
        ),
        "a GPU that not even the PTX serves": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            R535,
            Gpu(0, "Tesla T4", compute_capability="7.5"),
        ),
        "the driver is not told": (
            TorchBuild("2.8.0a0+git", cuda="12.8", arch_list=("sm_80", "compute_80")),
            Nvml(library_found=True, init_code=0),
            Gpu(0, "NVIDIA H100 80GB HBM3", compute_capability="9.0"),
        ),
    },
)

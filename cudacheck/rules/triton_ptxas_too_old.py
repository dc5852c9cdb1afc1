"""The ptxas with which Triton makes machine code does not know this GPU.

## What it does
Compares the ptxas that the installed Triton brings along with each GPU, and hears what ptxas says of an architecture
or of PTX that is newer than itself. It is a warning until it has happened.

## Why it matters
PyTorch's own kernels run on such a GPU; torch.compile, Triton kernels and what vLLM and SGLang build on them stop with
"PTXASError". GB10, Thor and GB300 are newer than the ptxas 12.8 of Triton 3.4 and 3.5. Some wheels of PyTorch bring a
ptxas of their own CUDA along for torch.compile; where theirs knows the GPU, it is only noted.

## What to do
Install a CUDA toolkit that knows the GPU, and let TRITON_PTXAS_PATH name its ptxas; or take a newer PyTorch, whose
Triton brings a newer one.

## References
- https://github.com/triton-lang/triton/issues/8539
- https://github.com/triton-lang/triton/issues/10331
- https://github.com/pytorch/pytorch/pull/163988
- https://github.com/vllm-project/vllm/pull/31338
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _machine, _messages, _torch

FIRST_OF_CUDA_13 = "7.5"
"""ptxas 13 knows no older GPU: a ptxas that does not know one of those may well be too new."""


def check(
    dists: tuple[Distribution, ...], gpus: tuple[Gpu, ...] | None, build: TorchBuild | None, facts: Facts
) -> Iterator[Finding]:
    triton = _torch.triton(facts)
    if triton is None or _machine.variable(facts, "TRITON_PTXAS_PATH"):
        return
    for gpu in _torch.gpus_of(facts):
        ptxas = knowledge.triton_ptxas(triton.version, gpu.capability) if gpu.capability else None
        if ptxas and gpu.capability and _is_newer(gpu.capability, ptxas):
            # PyTorch's wheels may bring a ptxas of their own CUDA along, for torch.compile alone: pytorch#163988
            spared = build is not None and build.cuda is not None and not _is_newer(gpu.capability, build.cuda)
            what = (
                "Triton kernels that others than torch.compile start" if spared else "torch.compile and Triton kernels"
            )
            yield Finding(
                f"{what} cannot work on {gpu.label}: triton {triton.version} compiles with CUDA {ptxas}",
                (Evidence(f"triton {triton.version}", "installed packages"), Evidence(gpu.label, gpu.found_in)),
                (_other_ptxas(knowledge.first_toolkit(gpu.capability)),),
                severity=Severity.NOTE if spared else None,
            )


def _is_newer(capability: str, ptxas: str) -> bool:
    """Whether Triton asks ptxas for an architecture that came later: it asks for the GPU's own, no compatible one."""
    first = knowledge.first_toolkit(capability)
    return first is not None and knowledge.as_version(ptxas) < knowledge.as_version(first)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _messages.has_own_words(match):
        yield Finding(match[0], severity=Severity.ERROR)
        return
    told = match.groupdict()
    if "application ptx input" in said.text[: match.start()]:
        return  # the driver's compiler or nvJitLink, which take no ptxas
    if "wanted" in told:
        if knowledge.as_version(told["wanted"]) > knowledge.as_version(told["found"]):
            message = f"ptxas reads PTX up to version {told['found']}, and was given version {told['wanted']}"
            yield Finding(message, (), (_other_ptxas(None),), severity=Severity.ERROR)
        return
    digits = re.sub(r"\D", "", told["arch"])
    capability = f"{digits[:-1]}.{digits[-1]}"
    if _torch.below(capability, FIRST_OF_CUDA_13):
        return
    message = f"ptxas does not know {told['arch']}: it is older than the GPU of compute {capability}"
    first = knowledge.first_toolkit_of(told["arch"].removeprefix("sm_"))
    yield Finding(message, (), (_other_ptxas(first),), severity=Severity.ERROR)


def _other_ptxas(first: str | None) -> Remedy:
    which = f"of a CUDA toolkit {first} or newer" if first else "of a newer CUDA toolkit"
    return Remedy(f"let TRITON_PTXAS_PATH name the ptxas {which}, or take a PyTorch with a newer Triton")


GB10 = Gpu(0, "NVIDIA GB10", compute_capability="12.1")
TOO_NEW = ErrorMessage("ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'", "paste")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.RUN_TIME,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(Family.WRONG_KERNELS, Family.NO_CUDA_BUILD),
    check=check,
    heard=heard,
    fires={
        "GB10 and the ptxas 12.8 of Triton 3.5": (Distribution("triton", "3.5.1"), GB10),
        "the same, and a PyTorch whose CUDA knows the GPU": (
            Distribution("triton", "3.5.1"),
            GB10,
            TorchBuild("2.9.1+cu130", cuda="13.0"),
        ),
        "what ptxas says of a newer GPU": (TOO_NEW,),
        "what ptxas says of newer PTX": (
            ErrorMessage("ptxas /tmp/x, line 5; fatal   : Unsupported .version 8.4; current version is '8.2'", "paste"),
        ),
    },
    quiet={
        "another ptxas is named": (
            Distribution("triton", "3.5.1"),
            GB10,
            EnvironmentVariables({"TRITON_PTXAS_PATH": "/usr/local/cuda/bin/ptxas"}),
        ),
        "Triton 3.6 has a ptxas of its own for Blackwell": (Distribution("triton", "3.6.0"), GB10),
        "an RTX 5090 and Triton 3.3": (
            Distribution("triton", "3.3.1"),
            TorchDevice(0, "NVIDIA GeForce RTX 5090", compute_capability="12.0"),
        ),
        "a Triton of which nothing is known": (Distribution("triton", "2.2.0"), GB10),
        "a GPU that the ptxas of CUDA 13 left behind": (
            ErrorMessage("ptxas fatal   : Value 'sm_52' is not defined for option 'gpu-name'", "paste"),
        ),
        "PTX of a version that is read": (ErrorMessage("Unsupported .version 6.0; current version is '8.2'", "paste"),),
        "the driver's own compiler": (
            ErrorMessage(
                "ptxas application ptx input, line 9; fatal   : Unsupported .version 8.7; current version is '8.4'",
                "paste",
            ),
        ),
    },
)

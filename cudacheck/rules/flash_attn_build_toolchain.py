"""flash-attn has to be compiled here, and what that takes is missing.

## What it does
Hears the errors of a build without nvcc, with a CUDA_HOME that leads nowhere, in pip's isolated environment, or short
of memory. Without an error it only notes that neither an official wheel fits nor a compiler is there.

## Why it matters
flash-attn has no wheels on the default index: pip builds it, and its build asks GitHub for a wheel that fits. Where
there is none, it compiles for hours, and needs the CUDA toolkit, many gigabytes of memory, and torch itself.

## What to do
Take the official wheel for this PyTorch, or stay with PyTorch's own attention. To compile: a toolkit of PyTorch's CUDA
major, `--no-build-isolation`, and few jobs at once.

## References
- https://github.com/Dao-AILab/flash-attention/issues/246
- https://github.com/Dao-AILab/flash-attention/issues/1736
- https://github.com/Dao-AILab/flash-attention/issues/420
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_cuda import TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

NEEDED = ("packaging", "psutil", "ninja", "wheel", "setuptools")


def check(
    dists: tuple[Distribution, ...],
    toolkits: tuple[CudaToolkit, ...],
    devices: tuple[TorchDevice, ...],
    build: TorchBuild,
    interpreter: Interpreter,
    flash: FlashAttention | None,
) -> Iterator[Finding]:
    installed = flash or any(d.name.startswith("flash-attn") for d in dists)
    able = any(d.compute_capability and not _torch.below(d.compute_capability, "8.0") for d in devices)
    if installed or not able or not build.cuda or any(toolkit.nvcc for toolkit in toolkits):
        return
    machine = interpreter.machine or "x86_64"
    if not knowledge.flash_attn_wheel(build.version, build.cuda, interpreter.version, build.cxx11_abi, machine):
        message = "flash-attn could not be compiled here: there is no nvcc, and no official wheel fits this PyTorch"
        yield Finding(message, (Evidence("no nvcc", "CUDA_HOME, PATH and the usual folders"),))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    module = match[1] if "No module" in match[0] else ""
    # Where torch is not installed, that is the fault; pip hides an installed one while it builds.
    if module and not (facts.one(TorchBuild) or any(d.name == "torch" for d in facts.all(Distribution))):
        return
    yield Finding(
        _why(match, module),
        (),
        tuple(_remedies(match, module, facts)),
        severity=Severity.ERROR,
    )


def _why(match: re.Match[str], module: str) -> str:
    if module:
        return f"{module} is not visible where a package is built: pip builds in an empty environment"
    if "nvcc" in match[0] and match.re.groups:
        return f"the compiler of the CUDA toolkit is looked for at {match[1]}, and is not there"
    if "inja" in _messages.printed(match):
        return "the build needs ninja, which is not installed"
    if "only supported on CUDA" in match[0]:
        return f"flash-attn needs a CUDA toolkit of {match[1]} or newer to be compiled"
    if "Killed" in match[0]:
        return "the build ran out of memory: too many compilers at once"
    return "the build needs the CUDA toolkit, and finds no nvcc"


def _remedies(match: re.Match[str], module: str, facts: Facts) -> Iterator[Remedy]:
    if "Killed" in match[0]:
        yield remedies.set_variable(facts, "MAX_JOBS", "2")
        return
    if "inja" in _messages.printed(match):
        yield remedies.install(facts, ["ninja"], title="install ninja")
        return
    if module:
        yield remedies.install(facts, NEEDED, title="install what the build needs, then build without isolation")
        title = "build flash-attn (or what else it was) in this environment"
        yield remedies.install(facts, ["flash-attn"], title=title, no_build_isolation=True)
        return
    home = next((e.values["CUDA_HOME"] for e in facts.all(EnvironmentVariables) if e.values.get("CUDA_HOME")), "")
    if home.strip(":") != home:
        yield remedies.set_variable(facts, "CUDA_HOME", home.strip(":"))
    yield from (remedy for remedy in remedies.flash_attn(facts) if remedy.commands)
    yield Remedy(
        "to compile it, install the CUDA toolkit of PyTorch's CUDA major and let CUDA_HOME name its folder; container "
        "images whose tag ends in devel have it, runtime images do not"
    )


A10 = TorchDevice(0, "NVIDIA A10", compute_capability="8.6")


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        "flash-attn-missing",
        "torch-cpu-build",
    ),
    check=check,
    heard=heard,
    messages=(
        r"flash_attn was requested, but nvcc was not found",
        r"(?:CUDA_HOME|CUDA_PATH) environment variable is not set",
        r"No such file or directory: ['\"]([^'\"\n]*nvcc)['\"]",
        r"FlashAttention is only supported on CUDA ([\d.]+) and above",
        r"Killed signal terminated program (?:cicc|cc1plus|ptxas)",
        r"No module named ['\"](torch)['\"]",
        r"(?:flash[_-]attn|get_requires_for_build)[\s\S]{0,600}?No module named ['\"](packaging|wheel|psutil|ninja)['\"]",
    ),
    fires={
        "a build without ninja": (
            ErrorMessage(
                "RuntimeError: Ninja is required to load C++ extensions (pip install ninja to get it)", "paste"
            ),
        ),
        "no toolkit": (
            ErrorMessage(
                "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.", "pip"
            ),
        ),
        "pip builds in isolation": (
            TorchBuild("2.10.0", cuda="12.8"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "pip"),
        ),
        "a colon too much": (
            EnvironmentVariables({"CUDA_HOME": ":/usr/local/cuda-11.7"}),
            ErrorMessage(
                "FileNotFoundError: [Errno 2] No such file or directory: ':/usr/local/cuda-11.7/bin/nvcc'", "pip"
            ),
        ),
        "no nvcc, and no wheel for this PyTorch": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "the same, and the machine is not told": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3"),
        ),
        "pip builds in isolation beside a torch that it lists": (
            Distribution("torch", "2.10.0"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "pip"),
        ),
        "flash-attn's setup names nvcc": (
            ErrorMessage("RuntimeError: flash_attn was requested, but nvcc was not found.", "pip"),
        ),
        "the compiler was killed": (ErrorMessage("gcc: fatal error: Killed signal terminated program cc1plus", "pip"),),
        "a toolkit that is too old": (
            ErrorMessage("RuntimeError: FlashAttention is only supported on CUDA 11.7 and above.", "pip"),
        ),
    },
    quiet={
        "torch is missing for good": (ErrorMessage("ModuleNotFoundError: No module named 'torch'", "paste"),),
        "flash-attn is installed, nvcc is not needed": (
            Distribution("flash-attn", "2.8.3"),
            TorchDevice(0, "NVIDIA A10", compute_capability="8.6"),
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Interpreter("3.12.3"),
        ),
        "pip's list has no torch": (
            Distribution("numpy", "2.0.0"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "pip"),
        ),
        "nvcc is there": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda", nvcc="/usr/local/cuda/bin/nvcc"),
            A10,
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "a GPU that it does not serve": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda"),
            TorchDevice(0, "Tesla T4", compute_capability="7.5"),
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "a GPU of unknown capability": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda"),
            TorchDevice(0, "a GPU"),
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "a CPU build": (
            Distribution("torch", "2.15.0"),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.15.0+cpu"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "flash-attn is listed, nvcc is not needed": (
            Distribution("flash-attn", "2.8.3"),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "flash-attn was found": (
            Distribution("torch", "2.15.0"),
            FlashAttention("2.8.3", imports=True),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.15.0+cu132", cuda="13.2"),
            Interpreter("3.12.3", machine="x86_64"),
        ),
        "an official wheel fits": (
            Distribution("torch", "2.8.0"),
            CudaToolkit("/usr/local/cuda"),
            A10,
            TorchBuild("2.8.0+cu128", cuda="12.8", cxx11_abi=True),
            Interpreter("3.12.3", machine="x86_64"),
        ),
    },
)

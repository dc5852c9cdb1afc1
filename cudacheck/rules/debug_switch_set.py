"""An environment variable that is for debugging is set, and slows programs down or breaks them.

## What it does
Looks for switches whose documentation calls them a debugging or compatibility aid. What each takes:

| variable | what it does |
|---|---|
| `CUDA_LAUNCH_BLOCKING=1` | every launch waits for its kernel: nothing overlaps, no speed can be measured |
| `CUDA_FORCE_PTX_JIT=1`, `CUDA_FORCE_JIT=1` | compiled code is ignored: slow first calls, and an error where there is no PTX |
| `PYTORCH_NO_CUDA_MEMORY_CACHING` (any value) | each tensor is a cudaMalloc, and each deletion waits for the GPU |
| `NVIDIA_TF32_OVERRIDE=0` | float32 products and convolutions never use the tensor cores (50 instead of 409 TFLOP/s on an H200) |
| `TRITON_INTERPRET=1` | Triton's kernels are interpreted on the processor |
| `TORCH_CUDNN_V8_API_DISABLED=1` | convolutions fall back to cuDNN's old interface |
| `DISABLE_ADDMM_CUDA_LT=1` | linear layers lose the kernels of cuBLASLt, which fuse the bias |
| `NCCL_P2P_DISABLE=1` | GPUs exchange data through the processor's memory |
| `CUDA_CACHE_DISABLE=1` | what is compiled at run time is compiled again by every process |
| `CUDA_DISABLE_PTX_JIT=1`, `CUDA_DISABLE_JIT=1` | code that was not compiled for this GPU fails instead of being compiled |
| `CUDA_MODULE_LOADING=EAGER` | all kernels are loaded at the start (0.9 instead of 0.1 s for the context, 1.8 s more for the first product, on an H200) |

The first six are warnings, the others notes: they cost little here, or are chosen on purpose. It is an error where a
kernel failed because its code had to be compiled, or was not to be.

## Why it matters
Such a variable is set once to find a fault, in a shell's start file, an image or a job script, and stays there. Programs
then run, several times slower, and nothing says why.

## What to do
Unset it where it is set, unless you are debugging.

## References
- https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
- https://docs.pytorch.org/docs/stable/cuda_environment_variables.html
- https://developer.nvidia.com/blog/accelerating-ai-training-with-tf32-tensor-cores/
- https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html
- https://triton-lang.org/main/programming-guide/chapter-3/debugging.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _kernels
from cudacheck.speed.runs import switched_on


class Switch(NamedTuple):
    name: str
    effect: str
    """What goes on with it, to be read after the variable."""
    severity: Severity
    is_on: Callable[[str], bool] = switched_on
    breaks: str = ""
    """The error with which kernels fail because of it, as a regular expression."""


class On(NamedTuple):
    """A switch that is on here."""

    switch: Switch
    setting: str
    evidence: tuple[Evidence, ...]
    severity: Severity


def _set_at_all(_value: str) -> bool:
    """PyTorch asks whether it is in the environment, not for its value."""
    return True


def _zero(value: str) -> bool:
    return value.strip() == "0"


def _true(value: str) -> bool:
    """As Triton reads it."""
    return value.strip().lower() in {"1", "true", "on", "yes", "y"}


def _eager(value: str) -> bool:
    return value.strip().upper() == "EAGER"


COMPILES = "the driver ignores compiled kernels and compiles PTX instead"
NEVER_COMPILES = "the driver compiles no PTX: kernels that were not made for this GPU fail"
NO_CODE = rf"{_kernels.NO_KERNEL[0]}|{_kernels.NO_KERNEL[1]}|[Uu]nsupportedPtx|unsupported\s+toolchain"
NOT_COMPILED = (
    rf"{_kernels.NO_KERNEL[0]}|{_kernels.NO_KERNEL[1]}|PTX JIT compilation was disabled|JitCompilationDisabled"
)
WARNING, NOTE = Severity.WARNING, Severity.NOTE
SWITCHES = (
    Switch("CUDA_FORCE_PTX_JIT", COMPILES, WARNING, breaks=NO_CODE),
    Switch("CUDA_FORCE_JIT", COMPILES, WARNING, breaks=NO_CODE),
    Switch("CUDA_LAUNCH_BLOCKING", "every launch waits for its kernel", WARNING),
    Switch("PYTORCH_NO_CUDA_MEMORY_CACHING", "every tensor is a cudaMalloc of its own", WARNING, _set_at_all),
    Switch("TRITON_INTERPRET", "Triton's kernels are interpreted on the processor", WARNING, _true),
    Switch("NVIDIA_TF32_OVERRIDE", "float32 never uses the tensor cores", WARNING, _zero),
    Switch("TORCH_CUDNN_V8_API_DISABLED", "convolutions use cuDNN's old interface", WARNING),
    Switch("CUDA_DISABLE_PTX_JIT", NEVER_COMPILES, NOTE, breaks=NOT_COMPILED),
    Switch("CUDA_DISABLE_JIT", NEVER_COMPILES, NOTE, breaks=NOT_COMPILED),
    Switch("CUDA_CACHE_DISABLE", "every process compiles anew what is compiled at run time", NOTE),
    Switch("DISABLE_ADDMM_CUDA_LT", "linear layers do without cuBLASLt's kernels", NOTE),
    Switch("NCCL_P2P_DISABLE", "GPUs exchange data through the processor's memory", NOTE),
    Switch("CUDA_MODULE_LOADING", "all kernels are loaded at the start", NOTE, _eager),
)
"""What breaks comes first, then what costs most."""


def check(
    variables: EnvironmentVariables,
    nvml: Nvml | None,
    gpus: tuple[Gpu, ...] | None,
    build: TorchBuild | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    if not (gpus or (nvml and nvml.gpu_count) or (build and build.cuda)):
        return  # nothing here runs on a GPU
    found = [on for switch in SWITCHES if (on := _seen(switch, variables, runs or ()))]
    if not found:
        return
    found.sort(key=lambda on: list(Severity).index(on.severity))
    worst, *others = found
    more = f" ({', '.join(on.switch.name for on in others)} too)" if others else ""
    yield Finding(
        f"{worst.setting} is set: {worst.switch.effect}{more}",
        tuple(evidence for on in found for evidence in on.evidence),
        tuple(remedies.unset_variable(facts, on.switch.name) for on in found),
        severity=worst.severity,
    )


def _seen(switch: Switch, variables: EnvironmentVariables, runs: tuple[KernelRun, ...]) -> On | None:
    value = variables.values.get(switch.name)
    if value is None or not switch.is_on(value):
        return None
    setting = f"{switch.name}={value[:40]}"
    evidence = [Evidence(setting, variables.found_in)]
    broken = [run for run in runs if switch.breaks and re.search(switch.breaks, run.error or "")]
    evidence += [Evidence(run.error or "", f"{run.kernel} on GPU {run.device_index}") for run in broken[:1]]
    return On(switch, setting, tuple(evidence), Severity.ERROR if broken else switch.severity)


H200 = Gpu(0, "NVIDIA H200")
CU130 = TorchBuild("2.11.0+cu130", "13.0", arch_list=("sm_80", "sm_90", "sm_100"))
NO_KERNEL = "AcceleratorError: CUDA error: no kernel image is available for execution on the device"


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.PROGRAM,
    check=check,
    fires={
        "launches block": (H200, EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"})),
        "kernels without PTX": (
            H200,
            CU130,
            EnvironmentVariables({"CUDA_FORCE_PTX_JIT": "1"}),
            KernelRun(0, "addition", ok=False, error=NO_KERNEL),
        ),
        "PyTorch takes 0 for set": (H200, EnvironmentVariables({"PYTORCH_NO_CUDA_MEMORY_CACHING": "0"})),
        "two at once": (H200, EnvironmentVariables({"CUDA_CACHE_DISABLE": "1", "CUDA_LAUNCH_BLOCKING": "1"})),
        "no TF32": (H200, EnvironmentVariables({"NVIDIA_TF32_OVERRIDE": "0"})),
        "eager loading, of which a paste tells": (
            CU130,
            EnvironmentVariables({"CUDA_MODULE_LOADING": "EAGER"}, complete=False, found_in="ticket.txt"),
        ),
    },
    quiet={
        "switched off": (
            H200,
            EnvironmentVariables(
                {
                    "CUDA_LAUNCH_BLOCKING": "0",
                    "CUDA_FORCE_PTX_JIT": "",
                    "NVIDIA_TF32_OVERRIDE": "1",
                    "CUDA_MODULE_LOADING": "LAZY",
                    "NCCL_P2P_DISABLE": "0",
                }
            ),
        ),
        "what people set on purpose": (
            H200,
            EnvironmentVariables(
                {
                    "CUDA_DEVICE_MAX_CONNECTIONS": "1",
                    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
                    "TORCH_CUDNN_SDPA_DEPRIORITIZED": "1",
                    "NCCL_DEBUG": "INFO",
                    "CUDA_CACHE_MAXSIZE": "4294967296",
                    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
                }
            ),
        ),
        "a machine without a GPU": (
            TorchBuild("2.11.0+cpu", cuda=None),
            EnvironmentVariables({"CUDA_LAUNCH_BLOCKING": "1"}),
        ),
    },
)

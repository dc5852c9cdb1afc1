"""A Python package is installed without the compiled library that it needs on the GPU.

## What it does
Hears what bitsandbytes, sgl_kernel, llama-cpp-python, JAX and Python itself say when the compiled half of a package is
not there, or not in the build for the CUDA that PyTorch brings.

## Why it matters
Such packages import, or half import, and fail at the first call. Their texts list every reason that there may be,
"CUDA driver not installed" among them; the driver is judged by what is known of it, not by such a list.

## What to do
Install the release of the package that has a library for PyTorch's CUDA; where it is compiled at installation, do that
again in this environment with `--no-build-isolation`. For bitsandbytes, `python -m bitsandbytes` names the file.

## References
- https://huggingface.co/docs/bitsandbytes/main/en/installation
- https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/cextension.py
- https://github.com/abetlen/llama-cpp-python#installation
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch

ONLY_WITH_CUDA = "compiled without GPU support"
"""What bitsandbytes also says where PyTorch has no CUDA, and all is as it should be."""
GOES_ON = (
    "Specified provider 'CUDAExecutionProvider'",
    "Failed to create CUDAExecutionProvider.",
    "Could not load libtorchcodec.",
    "An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib",
)
"""What is also printed as a mere warning, where the program goes on without."""


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    row, build, cuda = knowledge.message_of(match), facts.one(TorchBuild), facts.one(TorchCuda)
    without_cuda = (build is not None and build.cuda_known and build.cuda is None) or (cuda and not cuda.available)
    if row is None or (ONLY_WITH_CUDA in row.text and without_cuda):
        return
    yield Finding(
        _what_is_missing(row, match, build),
        (_torch.build_evidence(build),) if build and build.version else (),
        (Remedy(_what_to_do(row.program, match)),),
        severity=_severity(row, cuda),
    )


def _severity(row: knowledge.Message, cuda: TorchCuda | None) -> Severity | None:
    works = cuda is not None and cuda.available
    if row.program == "JAX" and works:
        return Severity.NOTE  # said whenever JAX is imported beside a GPU, and here PyTorch is what uses it
    unsure = row.text.startswith(GOES_ON) or (ONLY_WITH_CUDA in row.text and not works)
    return Severity.WARNING if unsure else None


def _what_is_missing(row: knowledge.Message, match: re.Match[str], build: TorchBuild | None) -> str:
    named = match.groupdict()
    if module := named.get("module"):
        return f"{module} is missing: its package was installed without its compiled part"
    if dll := named.get("dll"):
        return f"{dll} does not load: a library that it needs is not found, or does not fit"
    if row.program == "onnxruntime":
        return "the GPU part of onnxruntime does not load: CUDA, cuDNN or TensorRT of the major it was built for is not found"
    fits = f" for CUDA {build.cuda}" if build and build.cuda and row.program != "JAX" else " for CUDA"
    return f"the compiled library of {row.program}{fits} is missing"


def _what_to_do(program: str, match: re.Match[str]) -> str:
    if program == "bitsandbytes":
        return (
            "install a bitsandbytes release that has a library for this CUDA; `python -m bitsandbytes` names the file"
        )
    if program == "JAX":
        return "install jax with its CUDA plugin: the extra is called cuda12 or cuda13"
    if program == "onnxruntime":
        return (
            "install onnxruntime-gpu in the release for this CUDA, with the libraries that its page of requirements names; "
            "importing torch before it lends it PyTorch's"
        )
    named = match.groupdict().get("module") or match.groupdict().get("dll")
    package = f"the package of {named}" if named else program
    return f"install {package} again, in its build for this PyTorch and CUDA"


MISSING = ErrorMessage(
    "RuntimeError: Configured CUDA binary not found at /env/bitsandbytes/libbitsandbytes_cuda130.so", "paste"
)
WITHOUT_GPU = ErrorMessage(
    "WARNING:bitsandbytes.cextension:The installed version of bitsandbytes was compiled without GPU support.", "paste"
)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.NO_DRIVER,
        Family.NO_CUDA,
        Family.NO_CUDA_BUILD,
        "gpus-hidden",
        "torch-missing",
        "cuda-library-missing",
        "cudnn-missing",
        "extension-cuda-mismatch",
        "torch-family-mismatch",
        "glibc-too-old",
    ),
    heard=heard,
    fires={
        "onnxruntime's provider": (
            ErrorMessage(
                "[W:onnxruntime:Default] Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 12.*", "x"
            ),
        ),
        "a DLL that needs another": (
            ErrorMessage(
                "ImportError: DLL load failed while importing flash_attn_2_cuda: The specified module could not be found.",
                "x",
            ),
        ),
        "bitsandbytes has no library for this CUDA": (TorchBuild("2.9.0+cu130", cuda="13.0"), MISSING),
        "and nothing else is known": (MISSING,),
        "bitsandbytes sees no GPU where PyTorch does": (TorchCuda(available=True, device_count=1), WITHOUT_GPU),
        "bitsandbytes sees no GPU, and nothing else is known": (WITHOUT_GPU,),
        "a package without its kernels": (ErrorMessage("ModuleNotFoundError: No module named 'vllm._C'", "paste"),),
        "JAX for the processor": (
            ErrorMessage(
                "An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib is not installed. Falling back to cpu.",
                "paste",
            ),
        ),
    },
    quiet={
        "PyTorch for the processor": (TorchBuild("2.8.0+cpu", cuda=None), WITHOUT_GPU),
        "PyTorch finds no GPU": (TorchCuda(available=False), WITHOUT_GPU),
        "a module in plain Python": (ErrorMessage("ModuleNotFoundError: No module named 'peft'", "paste"),),
        "the list of reasons alone": (ErrorMessage("1. CUDA driver not installed\n2. CUDA not installed", "paste"),),
    },
)

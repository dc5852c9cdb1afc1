"""A compiled extension was built for another CUDA major than PyTorch.

## What it does
Compares the CUDA runtime that each extension's files name (`libcudart.so.13`) with PyTorch's CUDA major. flash-attn
has a rule of its own.

## Why it matters
"libcudart.so.13: cannot open shared object file": PyTorch brings only the runtime of its own major. Were both there,
the two would not share their state of the GPU.

## What to do
Install the extension's build for PyTorch's CUDA, or the PyTorch that the extension was built with. vLLM and xFormers
publish builds for several CUDA versions; `uv pip install vllm --torch-backend=auto` chooses a pair that fits.

## References
- https://github.com/vllm-project/vllm/issues/43435
- https://github.com/vllm-project/vllm/issues/44335
- https://github.com/unslothai/unsloth/issues/8580
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.extensions import ExtensionFile
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch

NAMES = "vllm|xformers|torchvision|torchaudio|sgl_kernel|flashinfer|detectron2|deepspeed|torch_scatter|torch_sparse"
LIBRARY = r"lib(?:cudart|cublas|cublasLt|nvrtc)\.so\.(\d\d)[.\d]*"


def check(files: tuple[ExtensionFile, ...], build: TorchBuild, facts: Facts) -> Iterator[Finding]:
    own = _torch.cuda_major(build)
    packages = {file.package for file in files if not file.package.startswith("flash-attn")}
    for package in sorted(packages):
        named = [file for file in files if file.package == package and file.cuda_major]
        # Some packages carry a file for each CUDA and load the one that fits.
        if named and own and all(file.cuda_major != own for file in named):
            wants = Evidence(f"needs libcudart.so.{named[0].cuda_major}", named[0].path)
            yield _finding(f"{package} {named[0].version or ''}".strip(), named[0].cuda_major, wants, build)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    build = facts.one(TorchBuild)
    own = _torch.cuda_major(build)
    if build and own and own != int(match[2]):
        yield _finding(match[1], int(match[2]), Evidence(_torch.one_line(match[0]), said.found_in), build)


def _finding(package: str, wanted: int | None, evidence: Evidence, build: TorchBuild) -> Finding:
    own = _torch.cuda_major(build)
    return Finding(
        f"{package} was built for CUDA {wanted}, but {_torch.spoken(build)} brings CUDA {own}",
        (evidence, _torch.build_evidence(build)),
        (Remedy(f"install {package.partition(' ')[0]} in its build for CUDA {own}, or the PyTorch it was built for"),),
    )


CU128 = TorchBuild("2.8.0+cu128", cuda="12.8")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.NO_CUDA_BUILD,
        "torch-family-mismatch",
        "cuda-library-missing",
    ),
    check=check,
    heard=heard,
    messages=(rf"\b({NAMES})\b[\s\S]{{0,400}}?{LIBRARY}: cannot open shared object file",),
    fires={
        "vLLM for CUDA 13 beside a cu128 PyTorch": (
            CU128,
            ExtensionFile("vllm", "/env/vllm/_C.abi3.so", "0.20.0", cuda_major=13),
        ),
        "the error, in a traceback that names it": (
            CU128,
            ErrorMessage(
                'File "/env/vllm/platforms/cuda.py", line 16\nImportError: libcudart.so.13: cannot open shared object file',
                "paste",
            ),
        ),
    },
    quiet={
        "the same major": (CU128, ExtensionFile("vllm", "/env/vllm/_C.abi3.so", "0.10.0", cuda_major=12)),
        "it brings its own runtime": (CU128, ExtensionFile("torchvision", "/env/torchvision/_C.so", "0.23.0")),
        "a file for each CUDA": (
            CU128,
            ExtensionFile("bitsandbytes", "/env/bitsandbytes/libbitsandbytes_cuda118.so", cuda_major=11),
            ExtensionFile("bitsandbytes", "/env/bitsandbytes/libbitsandbytes_cuda128.so", cuda_major=12),
        ),
    },
)

"""The CUDA toolkit that would compile extensions does not fit PyTorch, the GPU or the C++ compiler.

## What it does
Compares the nvcc that a build would take (CUDA_HOME, then PATH, then the usual folders) with the CUDA of the installed
PyTorch, and hears nvcc refuse an architecture or a compiler, or miss a header of its own. Another minor is fine, and so
is no toolkit at all: PyTorch's wheels need none to run.

## Why it matters
`torch.utils.cpp_extension` refuses to build: "The detected CUDA version mismatches the version that was used to compile
PyTorch". Only who compiles extensions (flash-attn, detectron2, apex) is concerned.

## What to do
Let CUDA_HOME name a toolkit of PyTorch's major; install one beside the other, or take a prebuilt wheel. Exchanging
PyTorch for the toolkit's sake is the last resort.

## References
- https://github.com/Dao-AILab/flash-attention/issues/1759
- https://github.com/Dao-AILab/flash-attention/issues/219
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

NVCC, BUILT = r"(?P<nvcc>\d[\d.]*)", r"(?P<built>\d[\d.]*)"
ORDER = ("CUDA_HOME", "CUDA_PATH", "PATH", "paste", "directory")
"""In which torch.utils.cpp_extension looks for a toolkit."""

FIRST = {"fp8": (11, 8), "fp6": (12, 8), "fp4": (12, 8)}
"""The CUDA that a header came with. The CUDA Math API manual of 12.0 has FP8, that of 12.6.3 no other yet, that of 13.0 FP4
and FP6; programs guard cuda_fp8.h by CUDA_VERSION >= 11080. There was no 12.7.
"""


def check(toolkits: tuple[CudaToolkit, ...] | None, build: TorchBuild, facts: Facts) -> Iterator[Finding]:
    known = [t for t in toolkits or () if t.nvcc and _torch.numbers(t.version or "") and t.found_via in ORDER]
    taken = min(known, key=lambda toolkit: ORDER.index(toolkit.found_via), default=None)
    own = _torch.cuda_major(build)
    if taken is None or taken.version is None or own is None or _torch.numbers(taken.version)[0] == own:
        return
    where = taken.path or taken.nvcc or ""
    yield Finding(
        f"nvcc {taken.version} would refuse to compile extensions for {_torch.spoken(build)}; nothing else needs nvcc",
        (
            Evidence(f"nvcc {taken.version} in {where}".removesuffix(" in "), taken.found_via),
            _torch.build_evidence(build),
        ),
        tuple(_remedies(own, facts)),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _messages.has_own_words(match):
        yield Finding(match[0], severity=Severity.ERROR)
        return
    row = knowledge.message_of(match)
    if row is not None:
        yield Finding(*_refused(match), severity=Severity.ERROR)
        return
    if header := match.groupdict().get("header"):
        yield from _without_header(header, _messages.quote(match, said), facts)
        return
    built = match["built"].rstrip(".")
    nvcc = (match.groupdict().get("nvcc") or "another version").rstrip(".")
    own = _torch.numbers(built)[0]
    yield Finding(
        f"nvcc of CUDA {nvcc} cannot compile extensions for a PyTorch of CUDA {built}",
        (),
        tuple(_remedies(own, facts)),
        severity=Severity.ERROR,
    )


def _refused(match: re.Match[str]) -> tuple[str, tuple[Evidence, ...], tuple[Remedy, ...]]:
    """What nvcc, or the compiler that it calls, says of itself."""
    told = match.groupdict()
    if gcc := told.get("gcc"):
        older = f"install gcc {gcc} or older beside this one and let CC, CXX and CUDAHOSTCXX name it, or take a newer toolkit"
        return f"this nvcc takes no gcc newer than {gcc}", (), (Remedy(older),)
    if header := told.get("header"):
        whole = "install the CUDA toolkit whole, headers and libraries, in PyTorch's CUDA, and let CUDA_HOME name it"
        return f"the CUDA toolkit is not whole: {header} is not there", (), (Remedy(whole),)
    digits = re.sub(r"\D", "", told["arch"])
    capability = f"{digits[:-1]}.{digits[-1]}"
    if last := knowledge.dropped_by(capability):
        message = f"this nvcc compiles no more for compute {capability}: CUDA {last} and newer do not"
        return (
            message,
            (),
            (Remedy("leave it out of TORCH_CUDA_ARCH_LIST (or of the build's own list), or take an older toolkit"),),
        )
    first = knowledge.first_toolkit_of(told["arch"])
    since = f": CUDA {first} was the first to compile for it" if first else ""
    newer = f"let CUDA_HOME name a toolkit of CUDA {first} or newer" if first else "let CUDA_HOME name a newer toolkit"
    return f"this nvcc does not know compute_{told['arch']}{since}", (), (Remedy(newer),)


def _without_header(header: str, quoted: Evidence, facts: Facts) -> Iterator[Finding]:
    """Where a toolkit is known to be older than the header; else nobody can tell why it is not there."""
    old = next((t for t in facts.all(CudaToolkit) if _torch.numbers(t.version or "9999") < FIRST[header]), None)
    own = _torch.cuda_major(facts.one(TorchBuild))
    if old is not None and own is not None:
        since = ".".join(map(str, FIRST[header]))
        yield Finding(
            f"nvcc {old.version} cannot compile this: cuda_{header}.h came with CUDA {since}",
            (quoted, Evidence(f"nvcc {old.version}", old.found_via)),
            tuple(_remedies(own, facts)),
            severity=Severity.ERROR,
        )


def _remedies(own: int, facts: Facts) -> Iterator[Remedy]:
    fitting = next(
        (t for t in facts.all(CudaToolkit) if t.path and t.nvcc and _torch.numbers(t.version or "")[:1] == (own,)), None
    )
    if fitting:
        yield remedies.set_variable(facts, "CUDA_HOME", fitting.path)
    else:
        yield Remedy(
            f"install a CUDA {own} toolkit beside this one and let CUDA_HOME name it, or take a wheel of the extension"
        )


CU118 = TorchBuild("2.1.2+cu118", cuda="11.8")


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=("torch-cpu-build",),
    check=check,
    heard=heard,
    messages=(
        r"fatal error: cuda_(?P<header>fp8|fp6|fp4)\.h: No such file",
        rf"detected CUDA version \({NVCC}\) mismatches the version that was used to\s+compile\s+PyTorch \({BUILT}\)",
        rf"Installed CUDA version {NVCC} does not match the version torch was compiled with {BUILT}, unable to compile",
        rf"the version used to compile Pytorch binaries\.\s+Pytorch binaries were compiled with Cuda {BUILT}",
    ),
    fires={
        "nvcc is older than the GPU": (
            ErrorMessage("nvcc fatal   : Unsupported gpu architecture 'compute_90a'", "paste"),
        ),
        "nvcc is newer than the architecture": (
            ErrorMessage("nvcc fatal   : Unsupported gpu architecture 'compute_30'", "paste"),
        ),
        "an architecture that no table knows": (
            ErrorMessage("nvcc fatal   : Unsupported gpu architecture 'compute_999'", "paste"),
        ),
        "gcc is newer than nvcc": (
            ErrorMessage(
                "error: #error -- unsupported GNU version! gcc versions later than 12 are not supported!", "paste"
            ),
        ),
        "a toolkit without its headers": (ErrorMessage("fatal error: cusparse.h: No such file or directory", "paste"),),
        "nvcc 12.3 for a cu118 PyTorch": (
            CU118,
            CudaToolkit("/usr/local/cuda-12.3", "12.3", "/usr/local/cuda-12.3/bin/nvcc", "PATH"),
        ),
        "a header that this toolkit does not have": (
            TorchBuild("2.5.1+cu124", cuda="12.4"),
            CudaToolkit("", "11.7.64", "nvcc", "paste"),
            ErrorMessage("fatal error: cuda_fp8.h: No such file or directory", "paste"),
        ),
        "what the build says": (
            ErrorMessage(
                "The detected CUDA version (12.3) mismatches the version that was used to compile PyTorch (11.8)",
                "pip",
            ),
        ),
        "what DeepSpeed says": (
            ErrorMessage(
                "Installed CUDA version 12.2 does not match the version torch was compiled with 11.7, unable to compile "
                "cuda/cpp extensions without a matching cuda version.",
                "paste",
            ),
        ),
        "what Apex says": (
            ErrorMessage(
                "Cuda extensions are being compiled with a version of Cuda that does not match the version used to "
                "compile Pytorch binaries.  Pytorch binaries were compiled with Cuda 10.2.",
                "paste",
            ),
        ),
        "a toolkit that fits lies beside it": (
            CudaToolkit("/usr/local/cuda-12.3", "12.3", "/usr/local/cuda-12.3/bin/nvcc", "PATH"),
            CudaToolkit("/usr/local/cuda-11.8", "11.8", "/usr/local/cuda-11.8/bin/nvcc", "directory"),
            ErrorMessage(
                "The detected CUDA version (12.3) mismatches the version that was used to compile PyTorch (11.8)", "pip"
            ),
        ),
        "a toolkit of another major, and one without a version, lie beside it": (
            CudaToolkit("/usr/local/cuda", None, "/usr/local/cuda/bin/nvcc", "PATH"),
            CudaToolkit("/usr/local/cuda-13.0", "13.0", "/usr/local/cuda-13.0/bin/nvcc", "directory"),
            ErrorMessage(
                "The detected CUDA version (12.3) mismatches the version that was used to compile PyTorch (11.8)", "pip"
            ),
        ),
    },
    quiet={
        "a header that is missing for another reason, or nobody knows why": (
            TorchBuild("2.5.1+cu124", cuda="12.4"),
            CudaToolkit("", "12.4.131", "nvcc", "paste"),
            ErrorMessage("fatal error: cuda_fp8.h: No such file or directory", "paste"),
        ),
        "DeepSpeed takes another minor": (
            ErrorMessage(
                "Installed CUDA version 12.2 does not match the version torch was compiled with 12.1 but since the APIs "
                "are compatible, accepting this combination",
                "paste",
            ),
        ),
        "only the minor differs": (
            TorchBuild("2.4.0+cu121", cuda="12.1"),
            CudaToolkit("/usr/local/cuda", "12.6.77", "/usr/local/cuda/bin/nvcc", "directory"),
        ),
        "CUDA_HOME names the right one of two": (
            CU118,
            CudaToolkit("/usr/local/cuda-12.3", "12.3", "/usr/local/cuda-12.3/bin/nvcc", "PATH"),
            CudaToolkit("/usr/local/cuda-11.8", "11.8", "/usr/local/cuda-11.8/bin/nvcc", "CUDA_HOME"),
        ),
        "a version without a number": (
            CU118,
            CudaToolkit("/usr/local/cuda", "unknown", "/usr/local/cuda/bin/nvcc", "PATH"),
        ),
        "a runtime image without nvcc": (CU118, CudaToolkit("/usr/local/cuda-12.3", "12.3", None, "directory")),
    },
)

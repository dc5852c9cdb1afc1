"""The installed cuDNN lacks a part, and another cuDNN fills in for it, or none does.

## What it does
Knows that `nvidia-cudnn-cu13==9.20.0.48`, which PyTorch 2.12 and 2.13 pin, lacks `libcudnn_engines_tensor_ir.so.9`:
alone it works, and is let pass. It fires where a cuDNN of another version offers that part, where cuDNN itself says
so, or where one of the parts that every cuDNN has is gone.

## Why it matters
cuDNN looks for its parts on the loader's whole path. A part of another version makes convolutions and attention fail
with CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, but only those that need it.

## What to do
Install a complete cuDNN wheel of a newer 9.x, take the system's cuDNN away, or use PyTorch 2.14.

## References
- https://github.com/pytorch/pytorch/issues/188892
- https://github.com/pytorch/pytorch/issues/187824
- https://github.com/pytorch/pytorch/issues/185512
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck import remedies
from cudacheck.knowledge import CUDNN_SUBLIBRARIES
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile, MissingLibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.rules import _libraries

INCOMPLETE, PART = _libraries.INCOMPLETE_CUDNN, "libcudnn_engines_tensor_ir.so.9"


def check(
    dists: tuple[Distribution, ...] | None,
    files: tuple[LibraryFile, ...] | None,
    missing: tuple[MissingLibraryFile, ...] | None,
    loaded: tuple[LoadedLibrary, ...] | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    works = any(run.kernel == "convolution" and run.ok for run in runs or ())
    in_use = [library for library in loaded or () if library.soname == PART]
    found: list[LoadedLibrary | LibraryFile] = [*in_use, *(file for file in files or () if file.soname == PART)]
    if _is_incomplete(dists or ()) and found:
        other = f"cuDNN {found[0].version}" if found[0].version else "another cuDNN"
        yield Finding(
            f"{INCOMPLETE} lacks {PART}, and {other} fills in for it",
            (Evidence(INCOMPLETE, "installed packages"), Evidence(PART, found[0].path)),
            tuple(_remedies(facts)),
            severity=Severity.WARNING if works and not in_use else None,
        )
    gone = [m for m in missing or () if any(m.soname in parts for parts in CUDNN_SUBLIBRARIES.values())]
    if gone and not works:
        yield Finding(
            f"the installed cuDNN lacks {gone[0].soname}",
            tuple(Evidence(f"{m.soname} is nowhere", f"asked for by {m.wanted_by}") for m in gone),
            tuple(_remedies(facts)),
        )


def _is_incomplete(dists: Sequence[Distribution]) -> bool:
    return any(f"{d.name}=={d.version}" == INCOMPLETE and not d.shadowed_by for d in dists)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    incomplete = _is_incomplete(facts.all(Distribution))
    if incomplete:
        message = f"{INCOMPLETE} lacks {PART}, which a cuDNN of another version then supplies, or none does"
        yield Finding(message, (), tuple(_remedies(facts)))
    elif "LOADING_FAILED" in match[0]:
        message = "cuDNN does not find one of its parts"
        yield Finding(message, (), tuple(_remedies(facts)))


def _remedies(facts: Facts) -> Iterator[Remedy]:
    yield _libraries.sound_cudnn(facts)
    if _libraries.path_leads_to(facts, "libcudnn"):
        yield remedies.unset_variable(facts, "LD_LIBRARY_PATH")


WHEEL = Distribution("nvidia-cudnn-cu13", "9.20.0.48")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=("nvidia-wheels-conflict",),
    check=check,
    heard=heard,
    messages=(r"CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED", r"CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"),
    fires={
        "a system cuDNN has the part that the wheel lacks": (
            WHEEL,
            LibraryFile(PART, f"/usr/lib/x86_64-linux-gnu/{PART}", "9.23.0", "ld.so.cache"),
        ),
        "what cuDNN says": (WHEEL, ErrorMessage("cudnn_status: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", "paste")),
        "half of the wheel is gone": (
            MissingLibraryFile("libcudnn_cnn.so.9", "/env/nvidia/cudnn/lib/libcudnn.so.9", ("/env/nvidia/cudnn/lib",)),
        ),
        "a system cuDNN fills in, and convolutions run": (
            WHEEL,
            LibraryFile(PART, f"/usr/lib/x86_64-linux-gnu/{PART}", "9.23.0", "ld.so.cache"),
            KernelRun(0, "convolution", ok=True),
        ),
        "a system cuDNN fills in, and convolutions fail": (
            WHEEL,
            LibraryFile(PART, f"/usr/lib/x86_64-linux-gnu/{PART}", "9.23.0", "ld.so.cache"),
            KernelRun(0, "float16 matmul", ok=True),
            KernelRun(0, "convolution", ok=False),
        ),
        "the system's part is loaded": (
            WHEEL,
            LoadedLibrary(PART, f"/usr/lib/x86_64-linux-gnu/{PART}", "9.23.0"),
            KernelRun(0, "convolution", ok=True),
        ),
        "cuDNN finds no part": (ErrorMessage("cudnn_status: CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED", "paste"),),
    },
    quiet={
        "a stock PyTorch 2.13": (WHEEL, MissingLibraryFile(PART, "/env/nvidia/cudnn/lib/libcudnn_graph.so.9")),
        "a complete wheel beside a system cuDNN": (
            Distribution("nvidia-cudnn-cu13", "9.24.0.43"),
            LibraryFile(PART, "/env/nvidia/cudnn/lib/libcudnn_engines_tensor_ir.so.9", "9.24.0.43", "wheel"),
            LibraryFile(PART, f"/usr/lib/x86_64-linux-gnu/{PART}", "9.23.0", "ld.so.cache"),
        ),
        "a mismatch beside a complete wheel is cudnn-conflict": (
            Distribution("nvidia-cudnn-cu13", "9.24.0.43"),
            ErrorMessage("cudnn_status: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", "paste"),
        ),
        "a part is nowhere, and convolutions run": (
            MissingLibraryFile("libcudnn_cnn.so.9", "/env/nvidia/cudnn/lib/libcudnn.so.9"),
            KernelRun(0, "convolution", ok=True),
        ),
        "another part of the incomplete wheel is loaded": (
            WHEEL,
            LoadedLibrary("libcudnn_graph.so.9", "/env/nvidia/cudnn/lib/libcudnn_graph.so.9", "9.20.0.48"),
        ),
    },
)

"""A CUDA library from elsewhere was loaded in place of the one that PyTorch brings.

## What it does
Compares the libraries that the process really mapped with those of PyTorch's wheels: another version in the place of
one, or a file of the system that fills in where a wheel that PyTorch pins has lost its own. Only what was loaded counts:
a toolkit on LD_LIBRARY_PATH does no harm as long as PyTorch finds its own libraries first.

## Why it matters
PyTorch was built and tested with the versions that it pins. Others work by luck, give symbol errors in some functions
or lose speed; LD_LIBRARY_PATH comes before what NVIDIA's wheels name, but after what PyTorch's own files name.

## What to do
Unset LD_LIBRARY_PATH for programs that use PyTorch, or take the folder in question out of it. Where a wheel's file is
gone, install the wheel again: today's stand-in goes with the next update of the system.

## References
- https://github.com/pytorch/pytorch/issues/111469
- https://github.com/pytorch/pytorch/issues/134929
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _libraries

OWN = {"wheel", "torch/lib"}


def check(loaded: tuple[LoadedLibrary, ...], files: tuple[LibraryFile, ...], facts: Facts) -> Iterator[Finding]:
    own = {file.soname: file for file in files if file.found_via in OWN}
    yield from _stand_ins(loaded, own, facts)
    for library in loaded:
        file = own.get(library.soname)
        if file is None or library.soname.startswith(("libcudnn", "libcuda.so")) or _same(library, file):
            continue
        folder = posixpath.dirname(library.path)
        yield Finding(
            f"{library.soname} {library.version} of {folder} is loaded, not PyTorch's {file.version}",
            (Evidence(f"loaded: {library.version}", library.path), Evidence(f"PyTorch's: {file.version}", file.path)),
            tuple(_remedies(library.soname, facts)),
        )


def _stand_ins(loaded: tuple[LoadedLibrary, ...], own: Mapping[str, LibraryFile], facts: Facts) -> Iterator[Finding]:
    """What PyTorch pins as a wheel, and was found elsewhere, beside others that do come from wheels."""
    folders = {posixpath.dirname(file.path) for file in own.values()}
    foreign = [lib for lib in loaded if lib.soname not in own and not lib.soname.startswith("libcudnn")]
    # each wheel is asked for once: a report may name two thousand libraries beside as many packages
    part_of = {library.soname: _libraries.wheel_part(library.soname) for library in foreign}
    pins = {part: _libraries.pinned(facts, part) if part else None for part in {*part_of.values()}}
    for library in foreign:
        pin = pins[part_of[library.soname]]
        if not pin or not folders or posixpath.dirname(library.path) in folders:
            continue
        missing = f"{library.soname} is missing from PyTorch's wheels: "
        yield Finding(
            f"{missing}{library.version or 'a copy'} of {posixpath.dirname(library.path)} fills in",
            (Evidence(f"loaded: {library.soname}", library.path), Evidence(f"PyTorch asks for {pin}", "its metadata")),
            (remedies.reinstall_wheels(facts, [pin]),),
        )


def _same(library: LoadedLibrary, file: LibraryFile) -> bool:
    """The same folder or version; where a version is unknown, nobody can say that they differ."""
    if posixpath.dirname(library.path) == posixpath.dirname(file.path) or not library.version or not file.version:
        return True
    ours, theirs = library.version.split("."), file.version.split(".")
    return all(a == b for a, b in zip(ours, theirs, strict=False))


def _remedies(soname: str, facts: Facts) -> Iterator[Remedy]:
    if _libraries.path_leads_to(facts, soname):
        yield remedies.unset_variable(facts, "LD_LIBRARY_PATH")
    else:
        yield Remedy("import torch before the package that loads the other library")


WHEEL = LibraryFile("libcublas.so.12", "/env/nvidia/cublas/lib/libcublas.so.12", "12.8.4.1", "wheel")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=(
        "torch-shadowed",
        "nvidia-wheels-conflict",
        "conda-pip-mix",
    ),
    check=check,
    fires={
        "a toolkit fills in for a file that is gone": (
            TorchBuild("2.11.0+cu128", cuda="12.8"),
            Distribution("torch", "2.11.0+cu128", requires=("nvidia-cublas-cu12==12.8.4.1",)),
            Distribution("nvidia-cublas-cu12", "12.8.4.1"),
            LibraryFile("libcublasLt.so.12", "/env/nvidia/cublas/lib/libcublasLt.so.12", "12.8.4.1", "wheel"),
            LoadedLibrary("libcublasLt.so.12", "/env/nvidia/cublas/lib/libcublasLt.so.12", "12.8.4.1"),
            LoadedLibrary("libcublas.so.12", "/usr/local/cuda-12.8/lib64/libcublas.so.12.8.4.1", "12.8.4.1"),
        ),
        "a toolkit on LD_LIBRARY_PATH wins": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"}),
            WHEEL,
            LoadedLibrary("libcublas.so.12", "/usr/local/cuda-12.1/lib64/libcublas.so.12.1.3.1", "12.1.3.1"),
        ),
    },
    quiet={
        "a PyTorch that pins nothing": (
            TorchBuild("2.11.0", cuda="12.8"),
            Distribution("torch", "2.11.0"),
            WHEEL,
            LoadedLibrary("libnccl.so.2", "/usr/lib/x86_64-linux-gnu/libnccl.so.2.28.3", "2.28.3"),
        ),
        "the wheel's own is loaded, whatever lies in the toolkit": (
            WHEEL,
            LibraryFile(
                "libcublas.so.12", "/usr/local/cuda-12.1/lib64/libcublas.so.12.1.3.1", "12.1.3.1", "LD_LIBRARY_PATH"
            ),
            LoadedLibrary("libcublas.so.12", "/env/nvidia/cublas/lib/libcublas.so.12", "12.8.4.1"),
        ),
        "nobody knows the version": (WHEEL, LoadedLibrary("libcublas.so.12", "/opt/lib/libcublas.so.12")),
        "the same file, named in full by one of them": (
            WHEEL,
            LoadedLibrary("libcublas.so.12", "/opt/cuda/lib64/libcublas.so.12.8.4.1", "12.8.4"),
        ),
        "the wheel's own folder": (
            WHEEL,
            LoadedLibrary("libcublas.so.12", "/env/nvidia/cublas/lib/libcublas.so.12", "12.9"),
        ),
        "the wheel tells no version": (
            LibraryFile("libcublas.so.12", "/env/nvidia/cublas/lib/libcublas.so.12", None, "wheel"),
            LoadedLibrary("libcublas.so.12", "/opt/lib/libcublas.so.12", "12.1.3.1"),
        ),
    },
)

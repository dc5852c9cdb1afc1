"""A CUDA library from elsewhere was loaded in place of the one that PyTorch brings.

## What it does
Compares the libraries that the process really mapped with those of PyTorch's wheels. Only what was loaded counts: a
toolkit on LD_LIBRARY_PATH does no harm as long as PyTorch finds its own libraries first.

## Why it matters
PyTorch was built and tested with the versions that it pins. Others work by luck, give symbol errors in some functions
or lose speed; LD_LIBRARY_PATH comes before what NVIDIA's wheels name, but after what PyTorch's own files name.

## What to do
Unset LD_LIBRARY_PATH for programs that use PyTorch, or take the folder in question out of it.

## References
- https://github.com/pytorch/pytorch/issues/111469
- https://github.com/pytorch/pytorch/issues/134929
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.rules import _libraries

OWN = {"wheel", "torch/lib"}


def check(loaded: tuple[LoadedLibrary, ...], files: tuple[LibraryFile, ...], facts: Facts) -> Iterator[Finding]:
    own = {file.soname: file for file in files if file.found_via in OWN}
    for library in loaded:
        file = own.get(library.soname)
        if file is None or library.soname.startswith(("libcudnn", "libcuda.so")) or _same(library, file):
            continue
        folder = posixpath.dirname(library.path)
        yield Finding(
            f"{library.soname} {library.version} of {folder} is loaded, not PyTorch's {file.version}",
            (Evidence(f"loaded: {library.version}", library.path), Evidence(f"PyTorch's: {file.version}", file.path)),
            tuple(_remedies(facts)),
        )


def _same(library: LoadedLibrary, file: LibraryFile) -> bool:
    """The same folder or version; where a version is unknown, nobody can say that they differ."""
    if posixpath.dirname(library.path) == posixpath.dirname(file.path) or not library.version or not file.version:
        return True
    ours, theirs = library.version.split("."), file.version.split(".")
    return all(a == b for a, b in zip(ours, theirs, strict=False))


def _remedies(facts: Facts) -> Iterator[Remedy]:
    if _libraries.library_path(facts):
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
        "a toolkit on LD_LIBRARY_PATH wins": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"}),
            WHEEL,
            LoadedLibrary("libcublas.so.12", "/usr/local/cuda-12.1/lib64/libcublas.so.12.1.3.1", "12.1.3.1"),
        ),
    },
    quiet={
        "the wheel's own is loaded, whatever lies in the toolkit": (
            WHEEL,
            LibraryFile(
                "libcublas.so.12", "/usr/local/cuda-12.1/lib64/libcublas.so.12.1.3.1", "12.1.3.1", "LD_LIBRARY_PATH"
            ),
            LoadedLibrary("libcublas.so.12", "/env/nvidia/cublas/lib/libcublas.so.12", "12.8.4.1"),
        ),
        "nobody knows the version": (WHEEL, LoadedLibrary("libcublas.so.12", "/opt/lib/libcublas.so.12")),
    },
)

"""The version of a library that PyTorch uses: what it mapped, else the wheel, else the files that it would find."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.requirements._requirement import AbsentError, Seen, UnknownError


def of(facts: Facts, soname: str, wheel: str, spoken: str) -> Sequence[Seen]:
    """`soname` and `wheel` are regular expressions of `libnccl.so.2`, `nvidia-nccl-cu13`."""
    loaded = [one for one in facts.all(LoadedLibrary) if re.match(soname, one.soname) and one.version]
    if loaded:
        return [Seen(one.version or "", f"{spoken} {one.version} is loaded", one.path) for one in loaded]
    wheels = [one for one in facts.all(Distribution) if re.fullmatch(wheel, one.name) and not one.shadowed_by]
    if wheels:
        return [Seen(one.version, f"{one.name} {one.version} is installed", one.location or "") for one in wheels]
    files = [one for one in facts.all(LibraryFile) if re.match(soname, one.soname)]
    unsure = "which of several is taken is not known" if len({one.version for one in files}) > 1 else ""
    known = [Seen(one.version, f"{spoken} {one.version}", one.path, unsure) for one in files if one.version]
    if known and len(known) == len(files):
        return known
    build = facts.one(TorchBuild)
    if build and build.cuda_known and not build.cuda:
        raise AbsentError(f"torch {build.version} was built without CUDA, and {spoken} is not installed")
    if files or facts.is_complete(LibraryFile):
        raise UnknownError(f"nothing tells the version of {spoken}")
    raise UnknownError(LibraryFile)

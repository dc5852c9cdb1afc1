"""Any library by its soname: the one that PyTorch really mapped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def library(soname: str) -> Requirement:
    """The requirement that a soname means: `libcublas.so.13==13.1.0.3`."""
    return Requirement(
        compare=_comparing.versions,
        look=partial(mapped, soname=soname),
        fix_by=FixBy.ENVIRONMENT,
        remedies=_advice,
        title="the version of the library of this soname that PyTorch mapped",
        example="libcublas.so.12>=12.8",
        explained_by=("torch-import-failed", "torch-missing", "probe-did-not-finish"),
    )


def mapped(facts: Facts, soname: str) -> Sequence[Seen]:
    found = [one for one in facts.all(LoadedLibrary) if one.soname == soname]
    if not found and not facts.is_complete(LoadedLibrary):
        raise UnknownError(LoadedLibrary)
    if not found:
        raise AbsentError(f"{soname} is not mapped")
    return [_seen(one) for one in found]


def _seen(one: LoadedLibrary) -> Seen:
    if one.version:
        return Seen(one.version, f"{one.soname} {one.version} is mapped", one.path)
    return Seen("", one.soname, one.path, unsure="nothing tells its version")


def _advice(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.advice(facts, f"install what brings {wanted.spec}, and see which copy is mapped")

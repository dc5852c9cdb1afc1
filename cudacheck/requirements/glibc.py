"""The version of the C library."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.host.system import System
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    system = facts.one(System)
    if system is None:
        raise UnknownError(System)
    if not system.glibc:
        raise UnknownError("nothing tells the version of a glibc")
    return [Seen(system.glibc, f"glibc {system.glibc}", system.found_in)]


def newer_system(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    title = f"use a distribution or a container image with {wanted.spec}: glibc is not upgraded by itself"
    return _remedies.advice(facts, title)


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.CONTAINER,
    remedies=newer_system,
    title="the version of the C library",
    example="glibc>=2.28",
)

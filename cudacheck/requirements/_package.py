"""Any package by its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.required_packages import RequiredPackage
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def package(name: str) -> Requirement:
    """The requirement that a name means which is none of ours."""
    return Requirement(
        compare=_comparing.versions,
        look=partial(installed, name=name),
        fix_by=FixBy.ENVIRONMENT,
        remedies=_advice,
        title="the version of the package of this name",
        example="transformers>=4.50",
    )


def installed(facts: Facts, name: str) -> Sequence[Seen]:
    """The version of this (normalised) name."""
    listed = [dist for dist in facts.all(Distribution) if dist.name == name and not dist.shadowed_by]
    asked = [one for one in facts.all(RequiredPackage) if one.name == name]
    version = next(filter(None, (*(one.version for one in listed), *(one.version for one in asked))), None)
    if version:
        return [Seen(version, f"{name} {version} is installed", "installed packages")]
    if asked:
        raise AbsentError(f"{name} is not installed")
    if facts.is_answered(RequiredPackage) or not facts.is_answered(Distribution):
        raise UnknownError(RequiredPackage)
    raise UnknownError(f"{name} is not among the packages that are listed, and not all are")


def _advice(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.advice(facts, f"install a {wanted.name} that fulfils {wanted.spec} in the inspected environment")

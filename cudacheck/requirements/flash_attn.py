"""The version of flash-attn, and that it imports."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.flash_attn import FlashAttention
from cudacheck.remedies import flash_attn_choice
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    imported = facts.one(FlashAttention)
    listed = next((one for one in facts.all(Distribution) if one.name == "flash-attn" and not one.shadowed_by), None)
    version = (imported.version if imported else None) or (listed.version if listed else None)
    if imported and not imported.imports:
        raise AbsentError(f"flash-attn {version or ''} does not import: {imported.error or imported.error_type or ''}")
    if version is None:
        if facts.is_complete(Distribution):
            raise AbsentError("flash-attn is not installed")
        raise UnknownError(Distribution)
    if facts.one(Patient) and not imported:
        raise UnknownError(FlashAttention)
    return [Seen(version, f"flash-attn {version} is installed", "installed packages")]


def install(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    wheel, _ = flash_attn_choice.wheel(facts)
    version = wheel.split("/")[-2].lstrip("v") if wheel else ""
    if version and wanted.holds(version):
        return remedies.flash_attn(facts)
    return _remedies.advice(facts, f"no official wheel is known that fulfils {wanted.spec} with this PyTorch")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=install,
    title="the version of flash-attn, which must import, too",
    example="flash-attn>=2.7",
    explained_by=("flash-attn-abi-mismatch", "torch-missing", "torch-import-failed"),
)

"""The version of the NVIDIA driver."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.model.rule import Family
from cudacheck.probes.host.nvml import Nvml
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    nvml = facts.one(Nvml)
    if nvml is None:
        raise UnknownError(Nvml)
    if nvml.init_code:
        raise AbsentError(f"no NVIDIA driver answers: {nvml.init_error or f'NVML error {nvml.init_code}'}")
    if nvml.driver_version:
        return [Seen(nvml.driver_version, f"driver {nvml.driver_version}", nvml.found_in)]
    if nvml.library_found is False:
        raise AbsentError("there is no NVIDIA driver")
    raise UnknownError("nothing tells the driver's version")


def upgrade(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    minimum = _comparing.lower_bound(wanted.clauses)
    if minimum is None:
        return _remedies.advice(facts, f"install a driver that fulfils {wanted.spec}: https://www.nvidia.com/drivers")
    return (remedies.upgrade_driver(facts, minimum),)


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.NODE,
    remedies=upgrade,
    title="the version of the NVIDIA driver",
    example="driver>=570",
    explained_by=(Family.NO_DRIVER,),
    alike=_comparing.same_branch,
)

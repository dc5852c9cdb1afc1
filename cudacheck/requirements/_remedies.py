"""What to type for requirements: the same remedies as elsewhere, and only where what they lead to fulfils them."""

from __future__ import annotations

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.chosen import Patient
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.remedies import torch_choice
from cudacheck.requirements._requirement import Wanted


def advice(facts: Facts, title: str) -> tuple[Remedy, ...]:
    """Where nothing can be typed that is sure to lead there."""
    return (Remedy(title, verify=remedies.verify(facts)),)


def other_machine(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return advice(facts, f"use a machine that fulfils {wanted.spec}, or ask for what this one has")


def torch(facts: Facts, wanted: Wanted, value_of: str) -> tuple[Remedy, ...]:
    """The PyTorch that suits this machine, where that fulfils it. `value_of`: `version` or `cuda`."""
    others = Facts(
        (fact for kind in facts.types() if kind is not TorchBuild for fact in facts.all(kind)),
        (kind for kind in facts.types() if facts.is_complete(kind) and kind is not TorchBuild),
    )
    choice = torch_choice.choose(torch_choice.machine_of(others), None)
    if choice and wanted.holds(choice.release.version if value_of == "version" else choice.build.cuda):
        return remedies.torch_build(others)
    return advice(facts, f"no PyTorch is known that fulfils {wanted.spec} and is sure to run on this machine")


def look_again(facts: Facts) -> tuple[Remedy, ...]:
    """Where nobody could tell."""
    if facts.one(Patient) is None:
        return (Remedy("inspect the machine itself: what was given does not say it", verify=remedies.verify(facts)),)
    return (Remedy("remove what was in the way, and check again", verify=remedies.verify(facts)),)

"""Plans: what to install on a machine, and why."""

from cudacheck.planning.answer import InstallPlan
from cudacheck.planning.answering import plan
from cudacheck.planning.emitting import TOOLS, EmitError, MissingExtraError
from cudacheck.planning.target import Target, TargetError, described, for_python, of_facts
from cudacheck.planning.wanted import BadRequirementError, Read, Wish, read_pyproject, read_requirements, wanted

__all__ = [
    "TOOLS",
    "BadRequirementError",
    "EmitError",
    "InstallPlan",
    "MissingExtraError",
    "Read",
    "Target",
    "TargetError",
    "Wish",
    "described",
    "for_python",
    "of_facts",
    "plan",
    "read_pyproject",
    "read_requirements",
    "wanted",
]

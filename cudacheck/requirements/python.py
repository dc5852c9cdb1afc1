"""The version of the inspected Python."""

from __future__ import annotations

from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.model.findings import FixBy, Remedy
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.requirements import _comparing, _remedies
from cudacheck.requirements._requirement import Requirement, Seen, UnknownError, Wanted


def look(facts: Facts) -> Sequence[Seen]:
    interpreter = facts.one(Interpreter)
    if interpreter is None:
        raise UnknownError(Interpreter)
    return [Seen(interpreter.version, f"Python {interpreter.version}", interpreter.executable or "")]


def other_environment(facts: Facts, wanted: Wanted) -> tuple[Remedy, ...]:
    return _remedies.advice(facts, f"make an environment with a Python that fulfils {wanted.spec}")


REQUIREMENT = Requirement(
    compare=_comparing.versions,
    look=look,
    fix_by=FixBy.ENVIRONMENT,
    remedies=other_environment,
    title="the version of the inspected Python",
    example="python>=3.10",
)

"""What to install: on this machine, on one that is described, or on one that a report or a paste tells of."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cudacheck import planning
from cudacheck.commands.doctor import InputError, glimpse, interpreter_for, text_of
from cudacheck.model.facts import Facts
from cudacheck.planning import InstallPlan, Target, wanted
from cudacheck.planning.checking import difference

PROBES = ("interpreter", "distributions", "torch_files", "nvml", "system")
"""Those that read files and ask NVML, and import nothing."""
MAX_NESTED = 10
"""Requirements files that name others."""
A_VERSION = re.compile(r"\d+\.\d+(\.\d+)?$", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Described:
    """A machine in the words of the command line; what is None was not said."""

    gpus: tuple[str, ...] = ()
    driver: str | None = None
    os: str | None = None
    machine: str | None = None
    glibc: str | None = None

    def __bool__(self) -> bool:
        return bool(self.gpus) or any((self.driver, self.os, self.machine, self.glibc))


def plan(
    requirements: Sequence[str] = (),
    files: Sequence[str] = (),
    *,
    described: Described | None = None,
    python: str | None = None,
    sources: Sequence[str] = (),
    tool: str | None = None,
    check: bool = False,
) -> InstallPlan:
    """The plan. Raises InputError for whatever cannot be read, or was described amiss."""
    try:
        target = _target(described or Described(), python, sources)
        lines = [*_named(requirements), *(line for name in files for line in _file(name))]
        found = planning.plan(target, wanted(lines, target.machine), tool)
    except (planning.TargetError, planning.RequirementError, planning.EmitError, planning.MissingExtraError) as error:
        raise InputError(str(error)) from None
    if found.choice is None:
        return found
    differs = difference(found.choice, target.facts)
    if check and differs is None:
        raise InputError("--check: what is installed there is not known")
    return dataclasses.replace(found, difference=differs)


def _target(described: Described, python: str | None, sources: Sequence[str]) -> Target:
    version = python if python and A_VERSION.match(python) else None
    if sources:
        target = planning.of_facts(_facts_in(sources))
        return planning.for_python(target, version) if version else target
    if described:
        if python and not version:
            version = _version_of(python)
        return planning.described(
            described.gpus, described.driver, version, described.os, described.machine, described.glibc
        )
    target = planning.of_facts(_facts_here(None if version else python))
    return planning.for_python(target, version) if version else target


def _facts_here(python: str | None) -> Facts:
    interpreter_for(python)  # says so where nothing live can be asked
    return glimpse(python, PROBES)


def _version_of(python: str) -> str | None:
    from cudacheck.probes.patient.interpreter import Interpreter

    interpreter_for(python)
    found = glimpse(python, ("interpreter",)).one(Interpreter)
    return found.version if found and A_VERSION.match(found.version) else None


def _facts_in(names: Sequence[str]) -> Facts:
    from cudacheck import sources

    try:
        return sources.read([("standard input" if name == "-" else name, text_of(name)) for name in names])
    except sources.SourceError as error:
        raise InputError(str(error)) from None


def _named(requirements: Sequence[str]) -> Iterator[str]:
    """Requirements as they stand, and the lines of those that are files."""
    for word in requirements:
        if re.search(r"\.(txt|in|toml)$", word) and not re.search(r"[@<>=;\s]", word):
            yield from _file(word)
        else:
            yield word


def _file(name: str, depth: int = 0) -> Iterator[str]:
    if depth > MAX_NESTED:
        raise InputError(f"{name}: requirements files that name each other more than {MAX_NESTED} deep")
    text = text_of(name)
    try:
        if name.endswith(".toml"):
            yield from planning.lines_of_pyproject(text)
            return
    except planning.RequirementError as error:
        raise InputError(f"{name}: {error}") from None
    for line in planning.lines_of_requirements(text):
        nested = re.match(r"(?:-r|--requirement)[ =]\s*(\S+)", line)
        if nested:
            yield from _file(str(Path(name).parent / nested[1]), depth + 1)
        else:
            yield line

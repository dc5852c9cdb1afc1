"""What to install: on this machine, on one that is described, or on one that a report or a paste tells of."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cudacheck import planning
from cudacheck.commands.doctor import InputError, glimpse, interpreter_for, text_of
from cudacheck.model.facts import Facts
from cudacheck.planning import InstallPlan, Target
from cudacheck.planning.checking import difference

PROBES = ("interpreter", "distributions", "torch_files", "nvml", "system")
"""Those that read files and ask NVML, and import nothing."""
MAX_FILES = 50
"""Of requirements, those that they name counted."""
A_FILE = re.compile(r"\.(txt|in|toml)$")
LIKE_A_VERSION = re.compile(r"\d+(\.\w+)*$", re.ASCII)
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
        lines, left_out = _asked(requirements, files)
        found = planning.plan(target, planning.wanted(lines, target.machine, left_out), tool)
    except (
        planning.TargetError,
        planning.BadRequirementError,
        planning.EmitError,
        planning.MissingExtraError,
    ) as error:
        raise InputError(str(error)) from None
    if found.choice is None:
        return found
    differs = difference(found.choice, target.facts)
    if check and differs is None:
        raise InputError("--check: what is installed there is not known")
    return dataclasses.replace(found, difference=differs)


def _target(described: Described, python: str | None, sources: Sequence[str]) -> Target:
    version = python if python and LIKE_A_VERSION.match(python) and not Path(python).exists() else None
    if sources:
        if python and not version:
            raise InputError("--from tells of an interpreter: with it, --python is a version such as 3.12")
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


def _asked(requirements: Sequence[str], files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Requirements as they stand, and those of files; what files say besides, with the file's name."""
    named = {word for word in requirements if A_FILE.search(word) and not re.search(r"[@<>=;\s]", word)}
    lines, left_out = [word for word in requirements if word not in named], []
    waiting, read = [*(word for word in requirements if word in named), *files], set()
    while waiting:
        name = waiting.pop(0)
        if name in read:
            continue
        read.add(name)
        if len(read) > MAX_FILES:
            raise InputError(f"these are more than {MAX_FILES} requirements files")
        found = _file(name)
        lines += found.lines
        left_out += [f"{Path(name).name}: {line}" for line in found.left_out]
        waiting += [str(Path(os.path.normpath(Path(name).parent / other))) for other in found.others]
    return lines, left_out


def _file(name: str) -> planning.Read:
    text = text_of(name)
    if not name.endswith(".toml"):
        return planning.read_requirements(text)
    try:
        return planning.read_pyproject(text)
    except planning.BadRequirementError as error:
        raise InputError(f"{name}: {error}") from None

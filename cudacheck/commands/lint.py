"""`cudacheck lint`: recipes in, findings out, for no machine or for one."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Sequence
from importlib.util import find_spec

from cudacheck import knowledge
from cudacheck.commands import doctor
from cudacheck.commands.doctor import InputError
from cudacheck.judging.gate import FAILING
from cudacheck.lint import fixing, gathering, linting
from cudacheck.lint.linting import Linted
from cudacheck.lint.rule import rules
from cudacheck.remedies import torch_choice
from cudacheck.remedies.torch_choice import Machine
from cudacheck.render._clean import harmless

"""What brings the parsers."""
NEEDED = ("tree_sitter", "tree_sitter_bash", "yaml", "markdown_it")
"""The parsers."""


def missing() -> str:
    """What has yet to be installed before anything can be read: a module's name, or empty."""
    return next((name for name in NEEDED if find_spec(name) is None), "")


def others_than(select: Collection[str]) -> list[str]:
    """The rules that are left out where only some are asked for."""
    return [rule.id for rule in rules() if select and rule.id not in select]


def lint(
    paths: Sequence[str], *, since: str | None = None, machine: Machine | None = None, ignore: Collection[str] = ()
) -> Linted:
    """Every rule over the recipes below these paths. Raises InputError for what cannot be read."""
    try:
        files = [*gathering.gather(gathering.changed([*paths], since) if since else paths)]
    except gathering.UnreadableError as error:
        raise InputError(str(error)) from None
    return linting.lint(files, beside=gathering.neighbours(p for p, _ in files), machine=machine, ignore=ignore)


def machine(
    gpu: str | None = None, driver: str | None = None, python: str | None = None, on: str | None = None
) -> Machine | None:
    """The machine that recipes are judged for: a report's, with what is named beside it; None where nothing is.

    Raises InputError for a GPU, driver or Python that is none.
    """
    if not any((gpu, driver, python, on)):
        return None
    found = torch_choice.machine_of(doctor.pasted([on]).report.facts) if on else Machine()
    if gpu:
        found = dataclasses.replace(found, capabilities=(_capability(gpu),))
    if driver:
        if not re.fullmatch(r"\d{3}(\.\d+){0,2}", driver):
            raise InputError(f"{driver!r} is no driver version, such as 580.95.05")
        found = dataclasses.replace(found, driver=driver)
    if python:
        if not re.fullmatch(r"3\.\d{1,2}", python):
            raise InputError(f"{python!r} is no Python version, such as 3.12")
        found = dataclasses.replace(found, python=python)
    return found


def _capability(gpu: str) -> str:
    """`9.0` for itself, for `NVIDIA H200`, and for `H200` where all models of that name agree."""
    if re.fullmatch(r"\d{1,2}\.\d", gpu):
        return gpu
    if exact := knowledge.capability_of(gpu) or knowledge.capability_of(f"NVIDIA {gpu}"):
        return exact
    word = re.compile(rf"\b{re.escape(gpu)}\b", re.IGNORECASE)
    named = {m.compute_capability for m in knowledge.gpu_models() if any(word.search(name) for name in m.names)}
    if len(named) == 1:
        return named.pop()
    raise InputError(f"no GPU is known as {gpu!r}: name its compute capability, such as 9.0")


def would_write(linted: Linted) -> str:
    """A unified diff of what `mend` writes, for a reader."""
    parts: list[str] = []
    for path, text in fixing.fixed(linted).items():
        before, after = linted.texts[path].splitlines(keepends=True), text.splitlines(keepends=True)
        parts += difflib.unified_diff(before, after, f"a/{path.lstrip('/')}", f"b/{path.lstrip('/')}")
    return "".join(f"{harmless(line.rstrip(chr(10)).replace(chr(9), '    '))}\n" for line in parts)


def mend(linted: Linted) -> int:
    """Write the fixes that are certain; how many files changed. Raises InputError where one cannot be written."""
    try:
        return fixing.write(linted)
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None


def fails(linted: Linted, fail_on: str) -> bool:
    """Whether there is a finding of this severity or above; never for `never`."""
    return any(finding.severity in FAILING[fail_on] for finding in linted.findings)

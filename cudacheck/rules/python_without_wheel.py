"""There is no PyTorch wheel for this Python version, or for the build that was asked for.

## What it does
Listens to what pip and uv answer when they find no torch, and says why: a build that was never published, a Python
that this release has no wheels for, another index or platform. Without an answer of theirs it fires only where PyTorch
is missing and no release has wheels for this Python.

## Why it matters
`Could not find a version that satisfies the requirement torch` names neither the Python nor the index as the cause.
`torch==2.4.0+cu128`, for one, never existed: cu128 begins with 2.7.0.

## What to do
Install a release that has wheels for this Python under this tag, or make an environment with another Python.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://github.com/bigai-nlco/LooGLE/issues/8
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

SPEC = r"(torch(?:vision|audio)?(?:\{[^}\n]{0,80}\})?(?:[=<>~!]=?[\w.+*,<>=!-]*)?)"
"""uv puts into braces for which systems it holds."""
NO_WHEELS = (
    r"(?:wheels (?:are available )?with a|compatible wheels|usable wheels|(?:`[^`\n]{1,120}`|\w{1,20})-compatible)"
)


def check(builds: tuple[TorchBuild, ...], interpreter: Interpreter, facts: Facts) -> Iterator[Finding]:
    python = _torch.minor(interpreter.version)
    if builds or not python:
        return
    known = {each for row in knowledge.builds() for each in knowledge.pythons_of(f"{row.torch}.0") or ()}
    other = interpreter.implementation not in {None, "cpython"}
    if known and (other or python not in known):
        name = f"{interpreter.implementation} {python}" if other else f"Python {python}"
        message = f"no PyTorch release up to {knowledge.releases()[-1].version} has wheels for {name}"
        yield _finding(message, Evidence(name, interpreter.executable or ""), facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    spec = re.sub(r"\{[^{}]*\}", "", match[1].rstrip(".,-"))
    if (index := _index_of(spec, facts)) is None:
        yield _finding(_why(spec, facts), _messages.quote(match, said), facts)
        return
    message = f"{spec} is not on the index that was asked, but on PyTorch's own under {index}"
    there = remedies.install(facts, [spec.partition("+")[0]], title="install it from there", index_tag=index)
    yield Finding(message, (), (there,))


def _index_of(spec: str, facts: Facts) -> str | None:
    """The tag of PyTorch's index that surely has this build for this Python and machine; None where nobody can tell."""
    exact = re.fullmatch(r"torch==(\d+\.\d+\.\d+)\+(cu\d+)", spec)
    interpreter, system = facts.one(Interpreter), facts.one(System)
    if not exact or knowledge.exists(exact[1], exact[2]) is not True:
        return None
    machine, os = ((system.machine or "x86_64"), system.os) if system else ("x86_64", "linux")
    row = knowledge.build_of(exact[1], exact[2], machine, os)
    python = _torch.minor(interpreter.version) if interpreter else None
    fits = python is None or python in (knowledge.pythons_of(exact[1]) or ())
    return exact[2] if row and row.verified and row.index and fits else None


def _why(spec: str, facts: Facts) -> str:
    """Why no wheel was found for a specification, as far as the knowledge goes."""
    interpreter = facts.one(Interpreter)
    python = _torch.minor(interpreter.version) if interpreter else None
    exact = re.fullmatch(r"torch==(\d+\.\d+\.\d+)(?:\+(cu\d+))?", spec)
    if exact and exact[2] and knowledge.exists(exact[1], exact[2]) is False:
        if knowledge.release(exact[1]) is None:
            return f"{spec} was never published: there is no PyTorch {exact[1]}"
        return f"{spec} was never published: PyTorch {exact[1]} has no build for CUDA {knowledge.cuda_of_tag(exact[2])}"
    pythons = knowledge.pythons_of(exact[1]) if exact else None
    if exact and python and pythons and python not in pythons:
        return f"PyTorch {exact[1]} has no wheels for Python {python}, only for {pythons[0]} to {pythons[-1]}"
    return f"no wheel of {spec} was found for this Python, platform and index"


def _finding(message: str, evidence: Evidence, facts: Facts) -> Finding:
    advice = "choose a release that has wheels for this Python, or a Python that PyTorch has wheels for"
    return Finding(message, (evidence,), _torch.right_build(facts, advice))


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=("no-gpu",),
    check=check,
    heard=heard,
    messages=(
        rf"Could not find a version that satisfies the requirement {SPEC}(?![\w-])",
        rf"No matching distribution found for {SPEC}(?![\w-])",
        rf"[Bb]ecause {SPEC} (?:has|is unusable because) no\s{{1,40}}{NO_WHEELS}",
        rf"[Bb]ecause there is no version of {SPEC}(?![\w-])",
        rf"no versions of {SPEC}(?![\w-])",
    ),
    fires={
        "a build that never existed": (
            ErrorMessage("ERROR: No matching distribution found for torch==2.4.0+cu128", "pip"),
        ),
        "a build that only PyTorch's own index has": (
            ErrorMessage("ERROR: No matching distribution found for torch==2.9.1+cu129", "pip"),
        ),
        "a Python that is too old for the release": (
            Interpreter("3.8.18", implementation="cpython"),
            ErrorMessage(
                "ERROR: Could not find a version that satisfies the requirement torch==2.8.0 (from versions: …)", "pip"
            ),
        ),
        "the same where the system is told, without its machine": (
            System("linux"),
            ErrorMessage("ERROR: No matching distribution found for torch==2.9.1+cu129", "pip"),
        ),
        "a build that this Python cannot have from there": (
            Interpreter("3.8.18", implementation="cpython"),
            ErrorMessage("ERROR: No matching distribution found for torch==2.9.1+cu129", "pip"),
        ),
        "a build that this Python has from there": (
            Interpreter("3.12.3", implementation="cpython"),
            ErrorMessage("ERROR: No matching distribution found for torch==2.9.1+cu129", "pip"),
        ),
        "a release that never was": (
            ErrorMessage("ERROR: No matching distribution found for torch==2.99.0+cu128", "pip"),
        ),
        "a Python that fits: the platform or the index does not": (
            Interpreter("3.12.3", implementation="cpython"),
            ErrorMessage("ERROR: No matching distribution found for torch==2.8.0", "pip"),
        ),
        "no release is named": (
            Interpreter("3.12.3", implementation="cpython"),
            ErrorMessage("ERROR: No matching distribution found for torch", "pip"),
        ),
        "uv, for one system of several": (
            ErrorMessage(
                "Because torch{sys_platform == 'win32'}==2.7.1+cu128 has no `platform_machine == 'AMD64' and "
                "sys_platform == 'win32'`-compatible wheels and only the following versions are available",
                "paste",
            ),
        ),
        "an older uv": (
            ErrorMessage(
                "Because torch==2.1.1 is unusable because no wheels are available with a matching platform", "paste"
            ),
        ),
    },
    quiet={
        "another package": (ErrorMessage("ERROR: No matching distribution found for torch-scatter==2.1.2", "pip"),),
        "PyTorch is installed, wherever it came from": (
            Interpreter("3.8.18", implementation="cpython"),
            TorchBuild("2.4.1+cu121", cuda="12.1"),
        ),
    },
)

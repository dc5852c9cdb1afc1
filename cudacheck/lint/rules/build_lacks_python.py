"""A release of PyTorch has no wheel for the Python of the recipe.

## What it does
Compares an exact PyTorch with the Python that the same environment has: the image `python:3.13`, `python=3.13` of conda,
`uv venv --python 3.13`, or `--python`.

## Why it matters
pip answers `No matching distribution found for torch`, with a list of other releases or with none.

## What to do
Take a Python that the release has wheels for, or another release.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity
from cudacheck.remedies.torch_choice import Machine


def check(recipe: Recipe) -> Iterator[LintFinding]:
    named = recipe.machine.python if recipe.machine else None
    for install, asked in recipe.requirements("torch"):
        if install.tool is Tool.CONDA or asked.url or asked.public is None:
            continue
        python = recipe.python_of(install) or named
        has = known.pythons_of(asked.public)
        if python and has and python not in has and python_is_known(python):
            message = f"torch {asked.public} has no wheel for Python {python}: it has {', '.join(has)}"
            yield LintFinding(message, asked.place)


def python_is_known(python: str) -> bool:
    """Whether any release has wheels for it: of a Python from after the tables nothing can be said."""
    return any(python in (known.pythons_of(version) or ()) for version in known.release_versions())


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an image with a newer Python": Example("FROM python:3.13-slim\nRUN pip install torch==2.1.2\n", "Dockerfile"),
        "an older one": Example("FROM python:3.8\nRUN pip install torch==2.6.0\n", "Dockerfile"),
        "the one it is judged for": Example("torch==2.2.0\n", "requirements.txt", machine=Machine(python="3.13")),
    },
    quiet={
        "one it has": Example("FROM python:3.11-slim\nRUN pip install torch==2.1.2\n", "Dockerfile"),
        "conda has its own builds": Example("conda install python=3.13 pytorch=2.5.1\n"),
        "another stage": Example(
            "FROM python:3.13 AS a\nFROM python:3.11\nRUN pip install torch==2.1.2\n", "Dockerfile"
        ),
        "a Python that nobody knows of yet": Example("FROM python:3.19\nRUN pip install torch==2.8.0\n", "Dockerfile"),
    },
)

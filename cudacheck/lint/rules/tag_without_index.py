"""A build with a CUDA tag is asked for without the index that has it.

## What it does
Sees `torch==VERSION+cuXYZ` in an install that names no index and no page of links, in a project that names PyTorch's
index nowhere and sets none by variable. A build that never was is another rule's.

## Why it matters
The default index has no version with a local tag: pip answers `No matching distribution found`.

## What to do
Add PyTorch's index for the tag.

## References
- https://pytorch.org/get-started/previous-versions/
- https://packaging.python.org/en/latest/specifications/version-specifiers/#local-version-identifiers
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, Recipe, Tool, Variable
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    if any(variable.name in known.INDEX_VARIABLES for variable in recipe.all(Variable)):
        return
    for install, asked in recipe.requirements("torch"):
        if (
            install.tool is Tool.CONDA
            or asked.url
            or not known.is_cuda_tag(asked.tag)
            or known.published(asked.public or "", asked.tag) is False
            or _elsewhere(recipe, install)
        ):
            continue
        option = f"--index-url https://download.pytorch.org/whl/{asked.tag}"
        if install.from_file:
            option = option.replace("--index-url", "--extra-index-url")
        edits = _edits(install, option, asked.public or "", asked.tag)
        message = f"torch {asked.version} is on PyTorch's index alone, and this install does not look there"
        yield LintFinding(message, asked.place, option, edits)


def _elsewhere(recipe: Recipe, install: Install) -> bool:
    """Whether it may look into another index after all."""
    if install.indexes or install.find_links or install.files:
        return True
    if not install.from_file:
        return False
    others = [*recipe.project, *(other for other in recipe.all(Install) if other is not install)]
    return any(other.indexes or other.find_links for other in others)


def _edits(install: Install, option: str, version: str, tag: str) -> tuple[Edit, ...]:
    """Certain only where nothing but the family is asked for, in a build that exists."""
    names = {requirement.name for requirement in install.requirements}
    if (
        install.from_file
        or not names <= set(known.FAMILY)
        or known.published(version, tag) is not True
        or install.redirections
    ):
        return ()
    last = max(requirement.place for requirement in install.requirements)
    end = type(last)(last.end_line, last.end_column, last.end_line, last.end_column)
    return (Edit(end, f" {option}"),)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "a command": Example("pip install torch==2.8.0+cu128 torchvision==0.23.0+cu128\n"),
        "a requirements file": Example("torch==2.1.2+cu118\ntransformers\n", "requirements.txt"),
        "in an image": Example("FROM python:3.11\nRUN pip install torch==2.6.0+cu124\n", "Dockerfile"),
    },
    quiet={
        "a build that never was": Example("pip install torch==2.4.0+cu128\n"),
        "with its index": Example(
            "pip install torch==2.8.0+cu128 --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "with a page of links": Example(
            "pip install torch==1.12.1+cu116 -f https://download.pytorch.org/whl/torch_stable.html\n"
        ),
        "the index is a variable": Example(
            "export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cu118\npip install torch==2.1.2+cu118\n"
        ),
        "whoever installs the file names it": Example(
            "torch==2.1.2+cu118\n",
            "requirements.txt",
            {
                "install.sh": "pip install -r requirements.txt --extra-index-url https://download.pytorch.org/whl/cu118\n"
            },
        ),
    },
)

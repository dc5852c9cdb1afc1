"""A version of PyTorch is asked for that was never released.

## What it does
Compares each exact version of torch with the list of its releases, which has no holes. What is newer than the list is
left alone.

## Why it matters
pip answers `No matching distribution found`, and nothing of the line is installed.

## What to do
Write a version that exists: the one before or after it.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://pytorch.org/get-started/previous-versions/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, torch in recipe.requirements("torch"):
        if install.tool is not Tool.CONDA and torch.public and known.released(torch.public) is False:
            message = f"PyTorch {torch.public} was never released"
            yield LintFinding(message, torch.place, explains=(torch.place,))


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "a patch release that never was": Example("pip install torch==2.4.5\n"),
        "in a requirements file": Example("torch==1.13.2\n", "requirements.txt"),
    },
    quiet={
        "a release": Example("pip install torch==2.4.1\n"),
        "newer than what is known": Example("pip install torch==2.99.0\n"),
        "NVIDIA's build in its own image": Example("torch==2.7.0a0+ecf3bae40a.nv25.02\n", "requirements.txt"),
        "a prefix": Example("pip install 'torch==2.4.*'\n"),
    },
)

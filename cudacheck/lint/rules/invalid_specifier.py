"""A version is asked for in a form that the installer rejects.

## What it does
Sees a single `=` for pip, and a local tag (`+cu121`) after `~=`, `>=`, `<=`, `>` or `<`.

## Why it matters
pip answers `Invalid requirement`. Only `==` and `!=` may name a local tag; a single `=` is conda's.

## What to do
Write `==`.

## References
- https://packaging.python.org/en/latest/specifications/version-specifiers/
- https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/pkg-specs.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Install, PackageSpec, Recipe, Tool
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install in recipe.all(Install):
        if install.tool in {Tool.CONDA, Tool.PIXI, Tool.POETRY}:
            continue
        for asked in install.requirements:
            yield from _judged(asked)


def _judged(asked: PackageSpec) -> Iterator[LintFinding]:
    if re.match(r"=\s*\d", asked.specifier):
        spec = f"{asked.name}={asked.specifier}"
        yield LintFinding(
            f"pip does not know a single =: {asked.name}{asked.specifier}",
            asked.place,
            spec,
            (Edit(asked.place, spec),),
        )
    elif match := re.search(r"(~=|>=|<=|>|<)\s*[\w.]+\+[\w.]+", asked.specifier):
        message = f"a local tag cannot go with {match[1]}: {asked.name}{asked.specifier}"
        yield LintFinding(message, asked.place, f"{asked.name}=={asked.specifier.removeprefix(match[1]).strip()}")


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "a single =": Example("pip install torch=2.4.0\n"),
        "~= with a tag": Example(
            'pip install "torch~=2.4.0+cu121" -f https://download.pytorch.org/whl/torch_stable.html\n'
        ),
        ">= with a tag": Example("torch>=2.1.0+cu118\n", "requirements.txt"),
    },
    quiet={
        "a list that conda reads": Example(
            "# conda create --name a --file requirements.txt -c pytorch\ncudatoolkit=11.3.1\npython=3.10.4\npytorch=1.12.1\n",
            "requirements.txt",
        ),
        "==": Example("pip install torch==2.4.0+cu121 -f https://download.pytorch.org/whl/torch_stable.html\n"),
        "~= without a tag": Example('pip install "torch~=2.4.0"\n'),
        "conda": Example("conda install pytorch=2.4.0\n"),
    },
)

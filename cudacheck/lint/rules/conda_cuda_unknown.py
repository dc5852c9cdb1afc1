"""A CUDA package of conda is asked for in a version that never existed.

## What it does
Sees `cudatoolkit` from 12 on, and `pytorch-cuda` in a version that its channel never had.

## Why it matters
`cudatoolkit` ended with 11.8; from 12 on the packages are called `cuda-…`. `pytorch-cuda` was built for 11.6, 11.7,
11.8, 12.1 and 12.4 alone. conda answers `PackagesNotFoundError`.

## What to do
Take a version that exists, or install PyTorch from conda-forge (`pytorch-gpu`), or with pip.

## References
- https://github.com/pytorch/pytorch/issues/138506
- https://anaconda.org/pytorch/pytorch-cuda/files
- https://conda-forge.org/docs/maintainer/knowledge_base/#cuda-builds
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

PYTORCH_CUDA = {"11.6", "11.7", "11.8", "12.1", "12.4"}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("cudatoolkit", "pytorch-cuda"):
        version = asked.specifier.strip("= *")
        if install.tool is not Tool.CONDA or asked.dynamic or not re.fullmatch(r"\d+(\.\d+)*", version):
            continue
        minor = ".".join(version.split(".")[:2])
        if asked.name == "cudatoolkit" and int(version.split(".")[0]) >= 12:
            yield LintFinding(
                f"cudatoolkit ended with 11.8: there is no {version}", asked.place, f"cuda-version={minor}"
            )
        elif asked.name == "pytorch-cuda" and "." in version and minor not in PYTORCH_CUDA:
            yield LintFinding(
                f"pytorch-cuda {version} never existed: it has {', '.join(sorted(PYTORCH_CUDA))}", asked.place
            )


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "cudatoolkit 12": Example("conda install pytorch cudatoolkit=12.1 -c pytorch\n"),
        "pytorch-cuda 12.8": Example("conda install pytorch pytorch-cuda=12.8 -c pytorch -c nvidia\n"),
        "in an environment": Example(
            "name: e\nchannels: [pytorch, nvidia]\ndependencies:\n  - pytorch-cuda=12.6\n", "environment.yml"
        ),
    },
    quiet={
        "cudatoolkit 11": Example("conda install pytorch==1.12.1 cudatoolkit=11.6 -c pytorch -c conda-forge\n"),
        "pytorch-cuda 12.4": Example("conda install pytorch==2.5.1 pytorch-cuda=12.4 -c pytorch -c nvidia\n"),
    },
)

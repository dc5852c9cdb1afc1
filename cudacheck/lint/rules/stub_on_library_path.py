"""The stub of libcuda is on the run-time library path of the image.

## What it does
Sees a `stubs` folder in LD_LIBRARY_PATH of the stage that is shipped.

## Why it matters
The stub is for linking: at run time it answers every call with `CUDA driver is a stub library`, and hides the real
one.

## What to do
Set LIBRARY_PATH for the build, or LD_LIBRARY_PATH within the one RUN that links.

## References
- https://docs.nvidia.com/cuda/cuda-c-best-practices-guide/
- https://github.com/NVIDIA/nvidia-docker/issues/775
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Setter, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for variable in recipe.all(Variable):
        if variable.name != "LD_LIBRARY_PATH" or variable.setter not in {Setter.IMAGE, Setter.CONTAINER}:
            continue
        stage = recipe.stage(variable.scope)
        if re.search(r"/stubs/?(:|$)", variable.value or "") and (stage is None or stage.shipped):
            yield LintFinding("the stub of libcuda is found before the driver's", variable.place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the stage that is shipped": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH\n",
            "Dockerfile",
        ),
    },
    quiet={
        "a stage that builds": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04 AS build\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs\nFROM nvidia/cuda:12.8.1-base-ubuntu22.04\nCOPY --from=build /a /a\n",
            "Dockerfile",
        ),
        "for linking": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04\nENV LIBRARY_PATH=/usr/local/cuda/lib64/stubs\n", "Dockerfile"
        ),
    },
)

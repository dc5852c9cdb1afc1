"""The stub of libcuda is on the run-time library path of the image.

## What it does
Sees a `stubs` folder in LD_LIBRARY_PATH of the stage that is shipped, where its image holds one: `nvidia/cuda` of the
flavour devel.

## Why it matters
The stub is for linking: what opens `libcuda.so` at run time gets it instead of the driver's, and every call answers
`CUDA driver is a stub library`. PyTorch opens `libcuda.so.1`, which is missed only where somebody linked that, too.

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
        has_stubs = stage is None or (stage.shipped and "-devel" in ((stage.base and stage.base.tag) or ""))
        if re.search(r"/stubs/?(:|$)", variable.value or "") and has_stubs:
            yield LintFinding("what opens libcuda.so gets the stub instead of the driver's", variable.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "the stage that is shipped": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:$LD_LIBRARY_PATH\n",
            "Dockerfile",
        ),
    },
    quiet={
        "an image without stubs": Example(
            "FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs\n",
            "Dockerfile",
        ),
        "a stage that builds": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04 AS build\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs\nFROM nvidia/cuda:12.8.1-base-ubuntu22.04\nCOPY --from=build /a /a\n",
            "Dockerfile",
        ),
        "for linking": Example(
            "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04\nENV LIBRARY_PATH=/usr/local/cuda/lib64/stubs\n", "Dockerfile"
        ),
    },
)

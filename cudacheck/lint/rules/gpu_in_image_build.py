"""A GPU is used while an image is built.

## What it does
Sees `nvidia-smi` in a RUN whose failure is not caught.

## Why it matters
docker build gives no GPU: the command is not found, and the build stops.

## What to do
Ask at run time. To compile for a GPU, name it: `TORCH_CUDA_ARCH_LIST=9.0`.

## References
- https://github.com/moby/buildkit/issues/1436
- https://docs.docker.com/reference/cli/docker/buildx/build/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Command, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for command in recipe.all(Command):
        if command.building and command.program == "nvidia-smi" and not command.tolerated:
            yield LintFinding("there is no GPU while an image is built: nvidia-smi is not found", command.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={"a check": Example("FROM nvidia/cuda:12.8.1-base-ubuntu22.04\nRUN nvidia-smi\n", "Dockerfile")},
    quiet={
        "its failure is caught": Example("FROM x\nRUN nvidia-smi || true\n", "Dockerfile"),
        "when it runs": Example("FROM x\nCMD nvidia-smi\n", "Dockerfile"),
    },
)

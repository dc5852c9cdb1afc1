"""A job asks for GPUs on a hosted runner, which has none.

## What it does
Sees `docker run --gpus` and `nvidia-smi` in jobs on GitHub's standard runners (`ubuntu-latest`).

## Why it matters
docker answers `could not select device driver "" with capabilities: [[gpu]]`.

## What to do
Run the job on a runner with a GPU (self-hosted, or a larger runner), or only compile there.

## References
- https://docs.github.com/en/actions/reference/runners/github-hosted-runners
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Command, ContainerRun, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for run in recipe.all(ContainerRun):
        if run.hosted_runner and run.gpus:
            yield LintFinding(f"{run.hosted_runner} has no GPU: docker cannot give one", run.gpus_place or run.place)
    for command in recipe.all(Command):
        if command.hosted_runner and command.program == "nvidia-smi" and not command.tolerated:
            yield LintFinding(f"{command.hosted_runner} has no GPU: nvidia-smi is not found", command.place)


HEAD = "jobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n    - run: "

RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "docker": Example(HEAD + "docker run --gpus all app pytest\n", ".github/workflows/t.yml"),
        "nvidia-smi": Example(HEAD + "|\n        nvidia-smi\n        pytest\n", ".github/workflows/t.yml"),
    },
    quiet={
        "a runner of one's own": Example(
            "jobs:\n  t:\n    runs-on: [self-hosted, gpu]\n    steps:\n    - run: docker run --gpus all app\n",
            ".github/workflows/t.yml",
        ),
        "compiling alone": Example(HEAD + "nvcc -arch=sm_90 a.cu\n", ".github/workflows/t.yml"),
    },
)

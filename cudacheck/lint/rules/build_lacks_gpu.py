"""A build of PyTorch has no kernels for the GPU that it is judged for.

## What it does
With `--gpu`, or the GPUs of `--on`: looks up the architectures in the wheel of the PyTorch that is asked for by its exact
version.

## Why it matters
`CUDA error: no kernel image is available for execution on the device`.

## What to do
Take a build that holds the architecture: `cudacheck doctor` on that machine names one.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity
from cudacheck.remedies.torch_choice import Machine


def check(recipe: Recipe) -> Iterator[LintFinding]:
    capabilities = recipe.machine.capabilities if recipe.machine else ()
    for install in recipe.all(Install):
        build = known.build_of(recipe, install)
        lacking = [c for c in capabilities if build and known.lacks_kernels(build[0], build[1], c)]
        if build and lacking:
            message = f"torch {build[0]} for {build[1]} has no kernels for compute capability {', '.join(lacking)}"
            yield LintFinding(message, build[2].place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "Blackwell": Example(
            "pip install torch==2.6.0 --index-url https://download.pytorch.org/whl/cu124\n",
            "a.sh",
            machine=Machine(capabilities=("12.0",)),
        ),
        "a GPU that had ended": Example(
            "torch==2.8.0+cu128\n", "requirements.txt", machine=Machine(capabilities=("6.1",))
        ),
    },
    quiet={
        "Hopper": Example(
            "pip install torch==2.8.0 --index-url https://download.pytorch.org/whl/cu128\n",
            "a.sh",
            machine=Machine(capabilities=("9.0",)),
        ),
        "within a major version": Example(
            "pip install torch==2.8.0 --index-url https://download.pytorch.org/whl/cu128\n",
            "a.sh",
            machine=Machine(capabilities=("8.9",)),
        ),
        "no machine": Example("pip install torch==2.6.0 --index-url https://download.pytorch.org/whl/cu124\n", "a.sh"),
    },
)

"""CUDA_LAUNCH_BLOCKING=1 is left on for everything that runs.

## What it does
Sees it in an image, a service, a job, or set by a program itself. Before one command, and in a page on debugging, it
is left alone.

## Why it matters
Every kernel launch then waits for the kernel: a decoder at batch 1 becomes several times slower.

## What to do
Set it for the one run that is being debugged.

## References
- https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, RecipeKind, Setter, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

DOCUMENTS = {RecipeKind.MARKDOWN, RecipeKind.ARTICLE, RecipeKind.NOTEBOOK, RecipeKind.WORKFLOW}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    if recipe.kind in DOCUMENTS:
        return
    for variable in recipe.all(Variable):
        stays = variable.setter in {Setter.IMAGE, Setter.EXPORT, Setter.CONTAINER, Setter.PYTHON}
        if variable.name == "CUDA_LAUNCH_BLOCKING" and variable.value == "1" and stays and not variable.branched:
            yield LintFinding("CUDA_LAUNCH_BLOCKING=1 makes every kernel launch wait", variable.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "an image": Example("FROM x\nENV CUDA_LAUNCH_BLOCKING=1\n", "Dockerfile"),
        "a batch job": Example(
            "#!/bin/bash\n#SBATCH --gres=gpu:1\nexport CUDA_LAUNCH_BLOCKING=1\npython a.py\n", "job.sbatch"
        ),
        "a program": Example('import os\nos.environ["CUDA_LAUNCH_BLOCKING"] = "1"\n', "serve.py"),
    },
    quiet={
        "off": Example("FROM x\nENV CUDA_LAUNCH_BLOCKING=0\n", "Dockerfile"),
        "asked for by an option": Example(
            'import os, sys\nif "--debug" in sys.argv:\n    os.environ["CUDA_LAUNCH_BLOCKING"] = "1"\n', "serve.py"
        ),
        "one run": Example("CUDA_LAUNCH_BLOCKING=1 python a.py\n"),
        "a page on debugging": Example("```bash\nexport CUDA_LAUNCH_BLOCKING=1\n```\n", "DEBUG.md"),
    },
)

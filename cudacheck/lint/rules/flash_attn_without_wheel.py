"""flash-attn is asked for in a version that has no official wheel for the PyTorch beside it.

## What it does
Compares the exact flash-attn with the exact PyTorch of the same environment in the table of official wheels.

## Why it matters
Its setup.py looks for a wheel on GitHub and, where there is none, compiles: for up to hours, with nvcc of the same CUDA
version, or not at all.

## What to do
Take the release that has wheels for this PyTorch.

## References
- https://github.com/Dao-AILab/flash-attention/releases
- https://github.com/Dao-AILab/flash-attention#installation-and-features
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("flash-attn"):
        torch = recipe.in_scope("torch", install)
        built = known.flash_attn_built_for(asked.version) if asked.version and not asked.url else None
        if torch is None or not torch.public or not known.released(torch.public) or built is None or not built.verified:
            continue
        minor = torch.public.rpartition(".")[0]
        if minor not in built.torch and install.tool is not Tool.CONDA:
            message = f"flash-attn {asked.version} has no wheel for torch {minor}, and compiles: {_those(built.torch)}"
            yield LintFinding(message, asked.place)


def _those(minors: tuple[str, ...]) -> str:
    return f"it has them for {minors[0]} to {minors[-1]}"


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "too old for it": Example("pip install torch==2.8.0\npip install flash-attn==2.6.3 --no-build-isolation\n"),
        "too new for it": Example(
            "FROM a\nRUN pip install torch==2.2.2\nRUN pip install flash-attn==2.8.3 --no-build-isolation\n",
            "Dockerfile",
        ),
    },
    quiet={
        "it has one": Example("pip install torch==2.8.0\npip install flash-attn==2.8.3 --no-build-isolation\n"),
        "any version": Example("pip install torch==2.8.0\npip install flash-attn --no-build-isolation\n"),
        "PyTorch left open": Example("pip install torch\npip install flash-attn==2.6.3 --no-build-isolation\n"),
    },
)

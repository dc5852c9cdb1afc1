"""A capture holds a call that waits for the GPU.

## What it does
Sees `.item()`, `.cpu()`, `.tolist()`, `.numpy()`, `.nonzero()`, `synchronize()` or `generate()` inside
`torch.cuda.graph`.

## Why it matters
While a stream is captured nothing may wait for it: `CUDA error: operation not permitted when stream is capturing`.

## What to do
Take the value out after the replay.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#constraints
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        for name, place in capture.syncs:
            yield LintFinding(f"{name} waits for the GPU, which is not permitted while its stream is captured", place)


HEAD = "import torch\ng = torch.cuda.CUDAGraph()\n"

RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "item": Example(HEAD + "with torch.cuda.graph(g):\n    y = (x * 2).sum().item()\ng.replay()\n", "a.py"),
        "a mask": Example(HEAD + "with torch.cuda.graph(g):\n    y = x[x < 0] * 2\ng.replay()\n", "a.py"),
        "generate": Example(HEAD + "with torch.cuda.graph(g):\n    y = model.generate(x)\ng.replay()\n", "a.py"),
    },
    quiet={
        "a mask that is written through": Example(
            HEAD + "with torch.cuda.graph(g):\n    y = x * 2\n    y[y < 0] = 0.0\ng.replay()\n", "a.py"
        ),
        "after the replay": Example(
            HEAD + "with torch.cuda.graph(g):\n    y = (x * 2).sum()\ng.replay()\nprint(y.item())\n", "a.py"
        ),
    },
)

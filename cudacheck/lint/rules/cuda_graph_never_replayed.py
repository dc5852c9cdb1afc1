"""A CUDA graph is captured and never replayed.

## What it does
Sees `with torch.cuda.graph(g):` in a file in which nothing replays g, returns it or hands it on.

## Why it matters
A capture only records; without `g.replay()` the recorded kernels never run, and the model goes on as slowly as before.

## What to do
Copy each new input into the captured tensor, then replay: `static_input.copy_(x); g.replay()`.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
- https://docs.pytorch.org/docs/stable/generated/torch.cuda.graph.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        if not capture.replayed:
            yield LintFinding(
                f"the graph {capture.graph} is captured and never replayed", capture.place, f"{capture.graph}.replay()"
            )


HEAD = "import torch\ng = torch.cuda.CUDAGraph()\nx = torch.zeros(8, device='cuda')\n"

RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "the article's class": Example(
            "import torch\nclass E:\n    def capture(self):\n        self.graph = torch.cuda.CUDAGraph()\n        with torch.cuda.graph(self.graph):\n            self.out = self.model(self.x)\n    def prefill(self, x):\n        return self.model(x)\n",
            "a.py",
        ),
        "a script": Example(HEAD + "with torch.cuda.graph(g):\n    y = x * 2\n", "a.py"),
    },
    quiet={
        "a test of the capture alone": Example(
            "import torch\ndef test_it_raises():\n    g = torch.cuda.CUDAGraph()\n    with torch.cuda.graph(g), raises(RuntimeError):\n        f()\n",
            "test_a.py",
        ),
        "replayed": Example(HEAD + "with torch.cuda.graph(g):\n    y = x * 2\ng.replay()\n", "a.py"),
        "returned": Example(
            "import torch\ndef capture(f):\n    g = torch.cuda.CUDAGraph()\n    with torch.cuda.graph(g):\n        y = f()\n    return g, y\n",
            "a.py",
        ),
        "kept for later": Example(
            "import torch\ndef capture(f, graphs):\n    g = torch.cuda.CUDAGraph()\n    with torch.cuda.graph(g):\n        f()\n    graphs[8] = g\n",
            "a.py",
        ),
    },
)

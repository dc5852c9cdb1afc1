"""A CUDA graph is captured of calls that did not run before on a side stream.

## What it does
Sees a capture in a file that makes no side stream and waits for none, unless what is captured is element-wise work
alone.

## Why it matters
The first run of cuBLAS, cuDNN and Triton allocates and sets up what a capture may not hold: it fails, or the set-up
becomes part of the graph. PyTorch asks for some runs on a side stream first.

## What to do
Run it three times on a `torch.cuda.Stream()`, then let the current stream wait for it.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        if capture.warmed_up != "side stream":
            how = "only on the default stream" if capture.warmed_up else "not at all"
            yield LintFinding(f"what is captured ran before {how}: warm it up on a side stream", capture.place)


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "no run before": Example(
            "import torch\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
        "a run on the default stream": Example(
            "import torch\ny = model(x)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
    },
    quiet={
        "on a side stream": Example(
            "import torch\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s):\n    for _ in range(3):\n        y = model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
        "element-wise work": Example(
            "import torch\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = x * 2\ng.replay()\n", "a.py"
        ),
    },
)

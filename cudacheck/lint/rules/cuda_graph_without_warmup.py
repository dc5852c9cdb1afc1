"""A CUDA graph is captured of calls that did not run before on a side stream.

## What it does
Sees the capture of a module (one of `torch.nn`, or a model from `from_pretrained`) in a file that makes no side stream
and waits for none: where it did not run before, or ran on the default stream with gradients on.

## Why it matters
The first run of cuBLAS, cuDNN and Triton allocates and sets up what a capture may not hold: it fails, or the set-up
becomes part of the graph. Autograd remembers the stream of the first run. PyTorch asks for some runs on a side stream.

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
        records = not capture.gradients_off
        if capture.module_call and (not capture.warmed_up or (capture.warmed_up == "default stream" and records)):
            how = "only on the default stream" if capture.warmed_up else "not at all"
            yield LintFinding(f"what is captured ran before {how}: warm it up on a side stream", capture.place)


HEAD = "import torch\nmodel = torch.nn.Linear(8, 8).cuda()\nx = torch.zeros(8, 8, device='cuda')\n"

RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "no run before": Example(
            HEAD + "g = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
        "a run on the default stream": Example(
            HEAD
            + "y = model(x)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
    },
    quiet={
        "on the default stream, for inference": Example(
            HEAD
            + "g = torch.cuda.CUDAGraph()\nwith torch.no_grad():\n    model(x)\n    with torch.cuda.graph(g):\n        y = model(x)\ng.replay()\n",
            "a.py",
        ),
        "nobody knows what is captured": Example(
            "import torch\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = run(x)\ng.replay()\n", "a.py"
        ),
        "on a side stream": Example(
            HEAD
            + "s = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s):\n    for _ in range(3):\n        y = model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n",
            "a.py",
        ),
        "element-wise work": Example(
            HEAD + "g = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = x * 2\ng.replay()\n", "a.py"
        ),
    },
)

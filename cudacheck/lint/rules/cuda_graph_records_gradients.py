"""A CUDA graph for inference is captured with gradients on.

## What it does
Sees the call of a model from `from_pretrained` inside a capture that stands in no `torch.no_grad()` and no
`torch.inference_mode()`, in a file that never calls `backward`.

## Why it matters
Autograd keeps every activation, and the graph's pool holds them for as long as the graph lives.

## What to do
Capture, and warm up, inside `torch.inference_mode()`.

## References
- https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
- https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        if capture.model_call is not None and not capture.gradients_off and not capture.backward:
            message = "captured with gradients on: the graph keeps every activation"
            yield LintFinding(
                message, capture.place, f"with torch.inference_mode(), torch.cuda.graph({capture.graph}):"
            )


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "nowhere off": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    y = model(x, use_cache=False)\ng.replay()\n',
            "a.py",
        ),
    },
    quiet={
        "off beside it": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.inference_mode(), torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n',
            "a.py",
        ),
        "off by a decorator": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ng = torch.cuda.CUDAGraph()\n@torch.no_grad()\ndef f(x):\n    with torch.cuda.graph(g):\n        y = model(x)\n    g.replay()\n',
            "a.py",
        ),
        "training": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.cuda.graph(g):\n    model(x).loss.backward()\ng.replay()\n',
            "a.py",
        ),
    },
)

"""A CUDA graph is captured of text that was not padded, so that it serves one length alone.

## What it does
Sees, in the function that captures, a tokenizer called with `max_length` and `truncation` and without
`padding="max_length"`, in a file where a model from `from_pretrained` is captured.

## Why it matters
A graph has the shapes of its capture. Without padding that is the length of the text that happened to be there: other
requests need another graph, or give wrong results.

## What to do
Pad to the captured length, copy each request into the captured tensor with `copy_()`, and keep one graph a length.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
- https://huggingface.co/docs/transformers/main/en/pad_truncation
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        if capture.frozen_shape is not None and capture.model_call is not None:
            message = "not padded: the graph is captured for the length of this text alone"
            yield LintFinding(message, capture.frozen_shape, 'padding="max_length"')


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "truncated, not padded": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ntok = AutoTokenizer.from_pretrained("x")\nx = tok("hello", return_tensors="pt", max_length=512, truncation=True).input_ids.cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n',
            "a.py",
        ),
    },
    quiet={
        "padded": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ntok = AutoTokenizer.from_pretrained("x")\nx = tok("hello", return_tensors="pt", max_length=512, truncation=True, padding="max_length").input_ids.cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n',
            "a.py",
        ),
        "no capture": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ntok = AutoTokenizer.from_pretrained("x")\nx = tok("hello", return_tensors="pt", max_length=512, truncation=True)\n',
            "a.py",
        ),
    },
)

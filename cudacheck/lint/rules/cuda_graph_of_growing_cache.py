"""A CUDA graph is captured of a language model whose KV cache grows.

## What it does
Sees a call of a transformers model for text generation inside `torch.cuda.graph`, in a file that names no StaticCache
and no `cache_implementation="static"`. A call with `use_cache=False` is left alone.

## Why it matters
The default cache allocates at every step: its tensors belong to the graph's pool and are overwritten at each replay. The
checks of the attention mask wait for the GPU, which no capture permits.

## What to do
`model.generate(..., cache_implementation="static")` captures the decode step by itself; by hand, pass a StaticCache.

## References
- https://huggingface.co/docs/transformers/main/en/kv_cache
- https://docs.pytorch.org/docs/stable/notes/cuda.html#graph-memory-management
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for capture in recipe.all(GraphCapture):
        if capture.growing_call is not None and not capture.static_cache:
            message = "what is captured keeps a KV cache that grows: a replay overwrites it"
            yield LintFinding(message, capture.growing_call, 'model.generate(..., cache_implementation="static")')


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "the default cache": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x, use_cache=True)\ng.replay()\n',
            "a.py",
        ),
    },
    quiet={
        "a static cache": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, StaticCache\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ncache = StaticCache(config=model.config, max_cache_len=512)\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x, past_key_values=cache)\ng.replay()\n',
            "a.py",
        ),
        "no cache": Example(
            'import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x, use_cache=False)\ng.replay()\n',
            "a.py",
        ),
        "a model without one": Example(
            'import torch\nfrom transformers import AutoModel, AutoTokenizer\nmodel = AutoModel.from_pretrained("x", dtype="auto").cuda()\ns = torch.cuda.Stream()\ns.wait_stream(torch.cuda.current_stream())\nwith torch.cuda.stream(s), torch.no_grad():\n    for _ in range(3):\n        model(x)\ntorch.cuda.current_stream().wait_stream(s)\ng = torch.cuda.CUDAGraph()\nwith torch.no_grad(), torch.cuda.graph(g):\n    y = model(x)\ng.replay()\n',
            "a.py",
        ),
    },
)

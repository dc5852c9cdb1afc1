"""PYTORCH_CUDA_ALLOC_CONF holds what PyTorch cannot read.

## What it does
Reads the value as PyTorch does: `option:value`, separated by commas. An option that nobody knows is told only where
it is nearly one that exists; a newer PyTorch may have more.

## Why it matters
The first CUDA call raises `Error, expecting colon` or `Unrecognized CachingAllocator option`.

## What to do
`expandable_segments:True`, `max_split_size_mb:128`.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-cuda-alloc-conf
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Variable
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity
from cudacheck.model.nearest import nearest

VALUES = {
    "expandable_segments": r"True|False",
    "max_split_size_mb": r"2[1-9]|[3-9]\d|\d{3,}",  # more than 20: PyTorch refuses less
    "garbage_collection_threshold": r"0?\.\d+",
    "roundup_power2_divisions": r".+",
    "backend": r"native|cudaMallocAsync",
    "max_non_split_rounding_mb": r"\d+",
    "release_lock_on_cudamalloc": r"True|False",
    "pinned_use_cuda_host_register": r"True|False",
    "pinned_num_register_threads": r"\d+",
    "pinned_use_background_threads": r"True|False",
    "per_process_memory_fraction": r".+",
    "graph_capture_record_stream_reuse": r"True|False",
    "pinned_reserve_segment_size_mb": r"\d+",
    "throw_on_cudamalloc_oom": r"True|False",
}


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for variable in recipe.all(Variable):
        if (
            variable.name in {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"}
            and variable.value
            and "$" not in variable.value
        ):
            why = _unreadable(variable.value)
            if why:
                yield LintFinding(why, variable.place)


def _unreadable(value: str) -> str:
    # Brackets hold a list with commas and colons of its own.
    for option in re.sub(r"\[[^\]]*\]", "[]", value).strip().rstrip(",").split(","):
        name, colon, given = (part.strip() for part in option.partition(":"))
        if not colon:
            return f"PyTorch expects option:value in the allocator's settings, not {option.strip()!r}"
        if name not in VALUES:
            if near := nearest(name, VALUES, least=0.85):
                return f"the allocator knows no option {name!r}: it is {near}"
        elif not re.fullmatch(VALUES[name], given):
            return f"the allocator cannot read {given!r} for {name}"
    return ""


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "an equals sign": Example("export PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb=128\n"),
        "a truth value in lower case": Example(
            "FROM x\nENV PYTORCH_CUDA_ALLOC_CONF=expandable_segments:true\n", "Dockerfile"
        ),
        "a letter too few": Example(
            'import os\nos.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segment:True"\n', "a.py"
        ),
    },
    quiet={
        "one option": Example("export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True\n"),
        "two": Example("export PYTORCH_CUDA_ALLOC_CONF=garbage_collection_threshold:0.6,max_split_size_mb:128\n"),
        "a list": Example('export PYTORCH_CUDA_ALLOC_CONF="roundup_power2_divisions:[256:1,512:2,>:8]"\n'),
        "an option that may be new": Example("export PYTORCH_CUDA_ALLOC_CONF=zero_copy_pool:True\n"),
    },
)

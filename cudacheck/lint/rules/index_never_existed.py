"""An index of PyTorch is named that never existed.

## What it does
Looks at addresses below `download.pytorch.org/whl/`: a CUDA tag that no release of PyTorch was ever built for.

## Why it matters
pip finds nothing there. With `--extra-index-url` it then takes the default index's build without a word, which may be
for another CUDA.

## What to do
Name the nearest tag that exists. A CUDA 12 build runs on every driver from 525 on, whatever its minor version.

## References
- https://github.com/pytorch/pytorch/blob/main/RELEASE.md
- https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Index, Install, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install in recipe.all(Install):
        for index in install.indexes:
            tag = known.torch_index_tag(index.url)
            if tag and known.tag_ever_built(tag) is False:
                yield _finding(index, tag)


def _finding(index: Index, tag: str) -> LintFinding:
    near = known.nearest_tag(tag)
    instead = (near if index.torch_only else index.url.replace(tag, near)) if near else ""
    return LintFinding(f"PyTorch was never built for {tag}: this index does not exist", index.place, instead)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "CUDA 12.2": Example("pip install torch --index-url https://download.pytorch.org/whl/cu122\n"),
        "CUDA 12.5, in a requirements file": Example(
            "--extra-index-url https://download.pytorch.org/whl/cu125\ntorch\n", "requirements.txt"
        ),
    },
    quiet={
        "one that exists": Example("pip install torch --index-url https://download.pytorch.org/whl/cu126\n"),
        "another host's": Example("pip install jax --index-url https://example.org/whl/cu122\n"),
        "newer than what is known": Example("pip install torch --index-url https://download.pytorch.org/whl/cu140\n"),
        "a nightly of a tag that is coming": Example(
            "pip install --pre torch --index-url https://download.pytorch.org/whl/nightly/cu134\n"
        ),
        "CPU": Example("pip install torch --index-url https://download.pytorch.org/whl/cpu\n"),
    },
)

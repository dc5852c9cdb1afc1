"""A cuDNN archive is fetched from an address that never existed.

## What it does
Looks at addresses below `developer.download.nvidia.com/compute/redist/cudnn/`, a tree that ends at 8.8.0.

## Why it matters
The server answers 404.

## What to do
PyTorch brings its own cuDNN: fetch nothing. Other programs find archives below `compute/cudnn/redist/`.

## References
- https://developer.download.nvidia.com/compute/redist/cudnn/
- https://developer.download.nvidia.com/compute/cudnn/redist/cudnn/linux-x86_64/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import Command, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

_OLD_TREE = re.compile(r"developer\.download\.nvidia\.c(?:om|n)/compute/redist/cudnn/v(\d+)\.(\d+)")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for command in recipe.all(Command):
        for word in command.words:
            match = _OLD_TREE.search(word)
            if match and (int(match[1]), int(match[2])) > (8, 8):
                message = (
                    f"this address does not exist: NVIDIA's old tree of cuDNN ends at 8.8.0, not {match[1]}.{match[2]}"
                )
                yield LintFinding(message, command.place)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "the article's": Example(
            "wget https://developer.download.nvidia.com/compute/redist/cudnn/v8.9.7/local_installers/12.8/cudnn-linux-x86_64-8.9.7.29_cuda12-archive.tar.xz\n"
        ),
    },
    quiet={
        "in the tree": Example(
            "wget https://developer.download.nvidia.com/compute/redist/cudnn/v8.8.0/local_installers/12.0/cudnn-local-repo-ubuntu2204-8.8.0.121_1.0-1_amd64.deb\n"
        ),
        "the new tree": Example(
            "wget https://developer.download.nvidia.com/compute/cudnn/redist/cudnn/linux-x86_64/cudnn-linux-x86_64-8.9.7.29_cuda12-archive.tar.xz\n"
        ),
    },
)

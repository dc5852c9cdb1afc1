"""A requirements file names PyTorch's index where pip does not look at it.

## What it does
Sees `--index-url` and `--extra-index-url` behind a requirement, on its line, and an `--index-url` that a later one of the
same file replaces.

## Why it matters
pip reads options of an index on lines of their own, and of several `--index-url` the last. It says nothing of the others:
torch then comes from the default index, in the build for another CUDA, or a `+cuXYZ` is not found.

## What to do
Write `--extra-index-url` on a line of its own.

## References
- https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install in recipe.all(Install):
        read = {index.url.rstrip("/") for index in install.indexes}
        for index, why in install.unread_indexes:
            if known.is_torch_index(index.url) and index.url.rstrip("/") not in read:
                yield LintFinding(why, index.place, f"--extra-index-url {index.url}")


RULE = LintRule(
    severity=Severity.WARNING,
    check=check,
    finds={
        "on the requirement's line": Example(
            "torch==2.2.2 --index-url https://download.pytorch.org/whl/cu118\nnumpy\n", "requirements.txt"
        ),
        "with =": Example(
            "torch==2.2.2 --extra-index-url=https://download.pytorch.org/whl/cu118\n", "requirements/gpu.txt"
        ),
        "replaced by a later one": Example(
            "--index-url https://download.pytorch.org/whl/cu124\ntorch==2.4.0\n--index-url https://packages.example.com/simple\ngradio\n",
            "requirements.txt",
        ),
    },
    quiet={
        "on a line of its own": Example(
            "--extra-index-url https://download.pytorch.org/whl/cu118\ntorch==2.2.2\n", "requirements.txt"
        ),
        "two that are added": Example(
            "--extra-index-url https://download.pytorch.org/whl/cu118\n--extra-index-url https://data.pyg.org/whl\ntorch==2.2.2\n",
            "requirements.txt",
        ),
        "on a line of its own as well": Example(
            "--extra-index-url https://download.pytorch.org/whl/cu118\ntorch==2.2.2 --extra-index-url https://download.pytorch.org/whl/cu118\n",
            "requirements.txt",
        ),
        "a hash": Example("torch==2.2.2 --hash=sha256:0123456789abcdef\n", "requirements.txt"),
        "of a command": Example("pip install torch==2.2.2 --index-url https://download.pytorch.org/whl/cu118\n"),
        "in a comment": Example(
            "torch==2.2.2  # --index-url https://download.pytorch.org/whl/cu118\n", "requirements.txt"
        ),
    },
)

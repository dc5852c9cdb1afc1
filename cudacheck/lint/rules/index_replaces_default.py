"""PyTorch's index replaces the default one for packages that it does not hold.

## What it does
Sees `--index-url https://download.pytorch.org/whl/…` (or `-i`) with no further index, in an install of packages that
this index does not let in. Options in a requirements file count for the whole file.

## Why it matters
`--index-url` means: look nowhere else. pip answers `No matching distribution found for transformers`.

## What to do
Install the PyTorch family in a command of its own, the rest after it; in a file write `--extra-index-url`.

## References
- https://pip.pypa.io/en/stable/cli/pip_install/#finding-packages
- https://github.com/pytorch/test-infra/blob/main/s3_management/manage.py
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, Recipe, Tool
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install in recipe.all(Install):
        if install.tool in {Tool.CONDA, Tool.POETRY} or install.find_links or len(install.indexes) != 1:
            continue
        index = install.indexes[0]
        if not index.replaces or not known.is_torch_index(index.url):
            continue
        lacking = [r for r in install.requirements if not r.url and not r.dynamic and known.is_off_torch_index(r.name)]
        if lacking:
            names = ", ".join(requirement.name for requirement in lacking[:4])
            instead = f"--extra-index-url {index.url}"
            edits = (Edit(index.place, instead),) if install.from_file else ()
            message = f"--index-url leaves only PyTorch's index, which does not hold {names}"
            yield LintFinding(message, lacking[0].place, instead, edits)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "one line for all": Example(
            "pip install torch transformers gradio --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "a requirements file": Example(
            "--index-url https://download.pytorch.org/whl/cu121\ntorch\naccelerate\n", "requirements.txt"
        ),
    },
    quiet={
        "the family alone": Example(
            "pip install torch torchvision torchaudio --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "added, not replaced": Example(
            "pip install torch transformers --extra-index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "with the default one again": Example(
            "pip install torch gradio --index-url https://download.pytorch.org/whl/cu128 --extra-index-url https://packages.example.com/simple\n"
        ),
        "what it holds, too": Example(
            "pip install torch xformers numpy --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "a mirror": Example("pip install torch gradio -i https://mirror.example.org/simple\n"),
    },
)

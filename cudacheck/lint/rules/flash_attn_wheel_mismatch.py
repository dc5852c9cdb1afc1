"""A flash-attn wheel was built for another PyTorch or another Python than the recipe installs.

## What it does
Reads the wheel's name (`+cu12torch2.8cxx11abiTRUE-cp311`) and compares it with the exact PyTorch and the Python of the
same environment, with the CUDA major and the C++ ABI of that build where the table knows them.

## Why it matters
The import fails with `undefined symbol`; for another Python pip says `is not a supported wheel on this platform`.

## What to do
Take the wheel whose name fits.

## References
- https://github.com/Dao-AILab/flash-attention/releases
- https://github.com/Dao-AILab/flash-attention/issues/1832
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint.facts import PackageSpec, Recipe
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity

_NAME = re.compile(r"(?:\+|%2[Bb])cu(\d+)torch(\d+\.\d+)cxx11abi(TRUE|FALSE)-cp(\d)(\d+)-")


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("flash-attn"):
        match = _NAME.search(asked.url)
        if not match or "$" in asked.url:
            continue
        torch, python = recipe.in_scope("torch", install), recipe.python_of(install)
        if torch and torch.public and not torch.public.startswith(f"{match[2]}."):
            yield LintFinding(
                f"this flash-attn wheel is for torch {match[2]}, and torch {torch.public} is installed", asked.place
            )
        elif torch and torch.tag.startswith("cu") and not _same_cuda(torch, match[1]):
            yield LintFinding(
                f"this flash-attn wheel is for CUDA {match[1]}, and torch {torch.version} is installed", asked.place
            )
        elif python and python != f"{match[4]}.{match[5]}":
            yield LintFinding(
                f"this flash-attn wheel is for Python {match[4]}.{match[5]}, and the recipe runs {python}", asked.place
            )


def _same_cuda(torch: PackageSpec, cuda: str) -> bool:
    return torch.tag.removeprefix("cu")[:2] == cuda[:2]


WHEEL = "https://github.com/Dao-AILab/flash-attention/releases/download/v2.8.3/flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp311-cp311-linux_x86_64.whl"

RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "another PyTorch": Example(f"pip install torch==2.6.0\npip install {WHEEL}\n"),
        "another CUDA": Example(f"pip install torch==2.8.0+cu130 -f https://a/\npip install {WHEEL}\n"),
        "another Python": Example(
            f"FROM python:3.12-slim\nRUN pip install torch==2.8.0 && pip install {WHEEL}\n", "Dockerfile"
        ),
    },
    quiet={
        "it fits": Example(f"FROM python:3.11\nRUN pip install torch==2.8.0\nRUN pip install {WHEEL}\n", "Dockerfile"),
        "PyTorch unknown": Example(f"pip install torch\npip install {WHEEL}\n"),
    },
)

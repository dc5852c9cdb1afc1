"""flash-attn is built in isolation, where there is no PyTorch.

## What it does
Sees an install of flash-attn by name without `--no-build-isolation`, without a wheel and without a further index.

## Why it matters
The default index has its source alone, whose setup.py imports torch: `ModuleNotFoundError: No module named 'torch'`. uv
isolates every build, and so does pip from 25.3 on; an older pip does where setuptools or wheel is missing.

## What to do
Install torch, packaging, psutil and ninja first, then flash-attn with `--no-build-isolation`; or name an official
wheel.

## References
- https://github.com/Dao-AILab/flash-attention#installation-and-features
- https://docs.astral.sh/uv/concepts/projects/config/#build-isolation
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck.lint.facts import Recipe, Tool, Variable
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    if any(variable.name in {"PIP_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION"} for variable in recipe.all(Variable)):
        return
    for install, asked in recipe.requirements("flash-attn"):
        if (
            install.isolated is not True
            or asked.url
            or install.indexes
            or install.find_links
            or install.tool is Tool.CONDA
        ):
            continue
        if install.tool is Tool.POETRY:
            continue
        end = dataclasses.replace(asked.place, line=asked.place.end_line, column=asked.place.end_column)
        edits = () if install.from_file or install.redirections else (Edit(end, " --no-build-isolation"),)
        message = "flash-attn is built from source, and its setup.py needs the torch that isolation hides"
        severity = Severity.WARNING if install.tool is Tool.PIP else None
        yield LintFinding(message, asked.place, "pip install flash-attn --no-build-isolation", edits, severity)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "a command": Example("pip install flash-attn\n"),
        "with a version": Example("pip install flash_attn==2.8.3\n"),
        "uv": Example("uv pip install flash-attn\n"),
    },
    quiet={
        "isolation off": Example("pip install flash-attn --no-build-isolation\n"),
        "a wheel": Example(
            "pip install https://github.com/Dao-AILab/flash-attention/releases/download/v2.8.3/flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp311-cp311-linux_x86_64.whl\n"
        ),
        "off by variable": Example("FROM x\nENV PIP_NO_BUILD_ISOLATION=0\nRUN pip install flash-attn\n", "Dockerfile"),
        "conda": Example("conda install flash-attn -c conda-forge\n"),
        "a list, however it is installed": Example("torch\nflash-attn\n", "requirements.txt"),
        "a project that turns it off": Example(
            '[project]\nname = "a"\nversion = "1"\ndependencies = ["torch", "flash-attn"]\n[tool.uv]\nno-build-isolation-package = ["flash-attn"]\n',
            "pyproject.toml",
        ),
    },
)

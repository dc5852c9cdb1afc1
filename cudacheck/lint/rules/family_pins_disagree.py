"""torch, torchvision and torchaudio are asked for in versions, or for CUDA tags, that do not belong together.

## What it does
Compares exact versions and tags of the three within one install, or one environment that is built step by step. A
partner that serves several releases of PyTorch is left alone.

## Why it matters
torchvision pins its PyTorch: pip answers `ResolutionImpossible`, or replaces the PyTorch that was there. With tags of
different CUDA versions, operators are missing at run time.

## What to do
Take the partners of the same release, under the same tag.

## References
- https://github.com/pytorch/vision#installation
- https://pytorch.org/get-started/previous-versions/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, PackageSpec, Recipe, Tool
from cudacheck.lint.rule import Edit, Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("torchvision", "torchaudio"):
        torch = _torch(recipe, install)
        if torch is None or torch.url or asked.url:
            continue
        yield from _version(asked, torch, install.tool)
        if asked.tag and torch.tag and asked.tag != torch.tag:
            message = f"{asked.name} is asked for {asked.tag}, torch for {torch.tag}"
            spec = f"{asked.name}=={asked.public}+{torch.tag}"
            yield LintFinding(message, asked.place, spec, explains=(asked.place,))


def _torch(recipe: Recipe, install: Install) -> PackageSpec | None:
    name = "pytorch" if install.tool is Tool.CONDA else "torch"
    return recipe.in_scope(name, install)


def _version(asked: PackageSpec, torch: PackageSpec, tool: Tool) -> Iterator[LintFinding]:
    conda = tool is Tool.CONDA
    mine, theirs = _exact(asked, conda=conda), _exact(torch, conda=conda)
    if mine is None or theirs is None or known.pairs(theirs, asked.name, mine) is not False:
        return
    right = known.partner(theirs, asked.name)
    if right is None:
        return
    spec = f"{asked.name}{'=' if conda else '=='}{right}" + (f"+{torch.tag or asked.tag}" if asked.tag else "")
    edits = (
        ()
        if conda
        else (Edit(asked.place, spec),)
        if asked.place.line == asked.place.end_line and not asked.dynamic
        else ()
    )
    message = f"{asked.name} {mine} does not belong to torch {theirs}: its partner is {right}"
    yield LintFinding(message, asked.place, spec, edits, explains=(asked.place,))


def _exact(asked: PackageSpec, *, conda: bool) -> str | None:
    if not conda:
        return asked.public
    version = asked.specifier.strip("= ")
    return version if version.count(".") == 2 and version.replace(".", "").isdigit() else None


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "one release too old": Example("pip install torch==2.8.0 torchvision==0.22.0\n"),
        "in a file": Example("torch==2.1.2\ntorchaudio==2.0.2\n", "requirements.txt"),
        "step by step": Example(
            "FROM python:3.11\nRUN pip install torch==2.6.0\nRUN pip install torchvision==0.19.0\n", "Dockerfile"
        ),
        "tags": Example(
            "pip install torch==2.4.0+cu121 torchvision==0.19.0+cu118 -f https://download.pytorch.org/whl/torch_stable.html\n"
        ),
        "conda": Example("conda install pytorch=2.4.0 torchvision=0.18.0 -c pytorch\n"),
    },
    quiet={
        "beside a build that never was: its remedy names the partner": Example(
            "pip install torch==2.6.0 torchvision==0.19.0 --index-url https://download.pytorch.org/whl/cu128\n"
        ),
        "a pair": Example("pip install torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0\n"),
        "a torchvision of several releases": Example("pip install torch==2.15.0 torchvision==0.29.2\n"),
        "a torchaudio of several releases": Example("pip install torch==2.13.0 torchaudio==2.11.0\n"),
        "two ways of one page": Example(
            "```bash\npip install torch==2.6.0\n```\n```bash\npip install torchvision==0.19.0\n```\n", "README.md"
        ),
        "stages": Example(
            "FROM python:3.11 AS a\nRUN pip install torch==2.6.0\nFROM python:3.11\nRUN pip install torchvision==0.19.0\n",
            "Dockerfile",
        ),
    },
    explained_by=("tag-never-built",),
)

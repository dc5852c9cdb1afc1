"""PyTorch is asked from its conda channel, which ended with 2.5.1.

## What it does
Sees the channel `pytorch` with a PyTorch newer than 2.5.1 (an error), or with none that is named (a note).

## Why it matters
No release from 2.6 on is on that channel: conda finds nothing, or takes 2.5.1 for the newest.

## What to do
Install with pip, or take conda-forge's `pytorch-gpu`.

## References
- https://github.com/pytorch/pytorch/issues/138506
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.lint import known
from cudacheck.lint.facts import Install, PackageSpec, Recipe, Tool
from cudacheck.lint.rule import Example, LintFinding, LintRule
from cudacheck.model.findings import Severity


def check(recipe: Recipe) -> Iterator[LintFinding]:
    for install, asked in recipe.requirements("pytorch"):
        if install.tool is Tool.CONDA and (asked.channel == "pytorch" or "pytorch" in install.channels):
            yield from _judged(asked, install)


def _judged(asked: PackageSpec, install: Install) -> Iterator[LintFinding]:
    version = asked.specifier.strip("= *>")
    old = known.allows(asked.specifier, "2.5.1") if asked.specifier else None
    if asked.dynamic or (asked.specifier and old is not False):
        return
    forge = "conda-forge" in install.channels and asked.channel != "pytorch"
    if asked.specifier and not forge and re.match(r"2\.([6-9]|\d\d)", version):
        yield LintFinding(f"the channel pytorch ended with 2.5.1: it has no {version}", asked.place)
    elif not asked.specifier and not forge and asked.channel != "conda-forge":
        message = "the channel pytorch ended with 2.5.1: that is the newest to be had there"
        yield LintFinding(message, asked.place, severity=Severity.NOTE)


RULE = LintRule(
    severity=Severity.ERROR,
    check=check,
    finds={
        "2.6": Example("conda install pytorch==2.6.0 pytorch-cuda=12.4 -c pytorch -c nvidia\n"),
        "any": Example("conda install pytorch torchvision -c pytorch\n"),
    },
    quiet={
        "2.5.1": Example("conda install pytorch==2.5.1 torchvision==0.20.1 pytorch-cuda=12.4 -c pytorch -c nvidia\n"),
        "conda-forge": Example("conda install pytorch-gpu=2.7 -c conda-forge\n"),
        "both channels": Example("conda install pytorch=2.6.0 -c pytorch -c conda-forge\n"),
    },
)

"""The installed PyTorch is newer than all that cudacheck knows.

## What it does
Compares the installed release with the newest one in cudacheck's tables (`cudacheck --version` prints their date).

## Why it matters
Which GPUs its builds serve, which partners and extensions fit it, and which index has it is not known here: what
depends on the tables stays unsaid, and no command names another PyTorch. What was read from its files, and what ran,
counts as ever.

## What to do
Nothing, as long as it works. Else upgrade cudacheck, or choose a build on PyTorch's own page.

## References
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.findings import Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch


def check(build: TorchBuild) -> Iterator[Finding]:
    if knowledge.is_newer_than_known(build.version):
        known = f"{knowledge.releases()[-1].version}, as of {knowledge.as_of()}"
        message = f"{_torch.spoken(build)} is newer than all that cudacheck knows ({known})"
        yield Finding(message, (_torch.build_evidence(build),))


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    fires={
        "a release of the future": (TorchBuild("9.0.0+cu200", cuda="20.0"),),
        "a nightly of the future": (TorchBuild("9.1.0.dev20400101+cu200", cuda="20.0"),),
    },
    quiet={
        "a release that is known": (TorchBuild("2.15.0+cu132", cuda="13.2"),),
        "an older source build": (TorchBuild("2.8.0a0+5228986c39.nv25.05", cuda="12.9"),),
    },
)

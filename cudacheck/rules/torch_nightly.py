"""The installed PyTorch is a nightly build.

## What it does
Sees `.dev` in the version.

## Why it matters
Nightlies work for most, and sometimes are the only build for a new GPU; but extensions made for a release need not fit
them, their index keeps them for a few weeks only, and no table knows what is in them.

## What to do
Change to a release once one serves the GPU. Otherwise take torch, torchvision and torchaudio of one day.

## References
- https://github.com/pytorch/pytorch/issues/185746
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck.model.findings import Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _torch


def check(build: TorchBuild) -> Iterator[Finding]:
    if ".dev" in build.version:
        message = f"{_torch.spoken(build)} is a nightly: extensions for a release need not fit it"
        yield Finding(message, (_torch.build_evidence(build),))


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    fires={"a nightly": (TorchBuild("2.13.0.dev20260530+cu132", cuda="13.2"),)},
    quiet={
        "a release": (TorchBuild("2.8.0+cu128", cuda="12.8"),),
        "NVIDIA's container": (TorchBuild("2.7.0a0+ecf3bae40a.nv25.02", cuda="12.8"),),
    },
)

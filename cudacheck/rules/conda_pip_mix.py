"""One environment holds a PyTorch of conda and a PyTorch of pip.

## What it does
Finds conda's record of PyTorch beside a torch that pip installed. Other packages of conda's, CUDA toolkits among them,
live well with pip's PyTorch and are let pass.

## Why it matters
The two write into the same folder: files of one lie under the record of the other, libraries come from either, and the
next `conda install` puts parts of the old one back. Symbol errors after an innocent update are the usual end.

## What to do
Keep one of them. conda's `pytorch` channel ended with 2.5; conda-forge goes on.

## References
- https://github.com/pytorch/pytorch/issues/134929
- https://github.com/pytorch/pytorch/issues/138506
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.patient.distributions import Distribution

CONDAS = {"pytorch", "pytorch-gpu", "pytorch-cpu", "libtorch"}


def check(dists: tuple[Distribution, ...], facts: Facts) -> Iterator[Finding]:
    conda = next((d for d in dists if d.installer == "conda" and d.name in CONDAS), None)
    pip = next((d for d in dists if d.name == "torch" and d.installer not in {None, "conda"}), None)
    if conda and pip:
        yield Finding(
            f"conda's {conda.name} {conda.version} and {pip.installer}'s torch {pip.version} are in one environment",
            (
                Evidence(f"{conda.name} {conda.version} {conda.build or ''}".strip(), "conda's records"),
                Evidence(f"torch {pip.version}, installed by {pip.installer}", pip.location or "its metadata"),
            ),
            (_keep_pip(conda, facts),),
        )


def _keep_pip(conda: Distribution, facts: Facts) -> Remedy:
    """Removing conda's takes files of pip's along, which lie in the same folder: they are put back afterwards."""
    where = f" -p {shlex.quote(conda.location)}" if conda.location else ""
    again = remedies.reinstall_torch(facts)
    if not again.commands:
        return Remedy("make a new environment, and install PyTorch there from one source only")
    commands = (f"conda remove{where} --force {conda.name}", *again.commands)
    return Remedy("keep pip's PyTorch: remove conda's, then put pip's files back", commands, verify=again.verify)


PIP = Distribution("torch", "2.8.0", installer="pip")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=("torch-shadowed",),
    check=check,
    fires={
        "pip over conda": (
            Distribution("pytorch", "2.5.1", installer="conda", build="py3.12_cuda12.4_cudnn9.1.0_0"),
            PIP,
        )
    },
    quiet={
        "conda's own PyTorch has metadata too": (
            Distribution("pytorch", "2.5.1", installer="conda"),
            Distribution("torch", "2.5.1", installer="conda"),
        ),
        "a toolkit of conda's beside pip's PyTorch": (Distribution("cudatoolkit", "11.8.0", installer="conda"), PIP),
        "a list that does not tell who installed": (
            Distribution("pytorch", "2.5.1", installer="conda"),
            Distribution("torch", "2.5.1"),
        ),
        "pip's PyTorch alone": (PIP,),
        "conda's PyTorch alone": (Distribution("pytorch", "2.5.1", installer="conda"),),
    },
)

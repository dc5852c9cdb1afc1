"""A link between GPUs (NVLink) failed.

## What it does
Hears the kernel log's Xid 74 and the fatal ones of 144 to 150, and CUDA's own word for a link that could not correct an
error (220).

## Why it matters
Programs that use several GPUs die or hang: what one GPU sends to another does not arrive. A single GPU still computes.

## What to do
Reset the GPUs, or reboot the node. Where it comes back, a GPU, a board or a switch is broken: `nvidia-smi nvlink -s` and
`nvidia-smi nvlink -e` tell which links are down and which count errors.

## References
- https://docs.nvidia.com/deploy/xid-errors/
- https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/index.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if not _driver.is_past(said, facts):
        links = ("nvidia-smi nvlink -s", "nvidia-smi nvlink -e")
        yield Finding(
            "a link between GPUs (NVLink) failed",
            (),
            (
                remedies.reboot(),
                Remedy(
                    "where it comes back: see which links are down or count errors, and have the board replaced", links
                ),
            ),
        )


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    joins=(Family.BROKEN_HARDWARE,),
    explained_by=("gpu-lost",),
    heard=heard,
    fires={
        "a fatal error of a link in the kernel log": (
            ErrorMessage(
                "NVRM: Xid (PCI:0000:66:00): 145, RLW_REMAP Fatal XC0 i0 Link 13 (0x0409a0c2 0x00000008)", "paste"
            ),
        ),
        "CUDA names the link": (
            ErrorMessage("RuntimeError: CUDA error: uncorrectable NVLink error detected during the execution", "paste"),
        ),
    },
    quiet={
        "a link that mended itself": (
            ErrorMessage(
                "NVRM: Xid (PCI:0018:01:00): 145, RLW_RXPIPE Nonfatal XC0 i0 Link 13 (0x0409a0c2 0x00000008)", "paste"
            ),
        ),
    },
)

"""Something between the GPUs, or between GPU and network card, blocks direct transfers.

## What it does
Hears the kernel's IOMMU refuse a transfer of an NVIDIA GPU, and NCCL's own hint; where NCCL hangs, it also reads
lspci's lines about access control (ACS). It is an error where NCCL failed too.

## Why it matters
ACS and a translating IOMMU lead transfers between PCIe devices through the processor, or drop them. NCCL then hangs
at the first collective, or returns wrong numbers; one GPU alone works.

## What to do
NCCL_P2P_DISABLE=1 shows whether this is it, and costs speed. On a machine without virtual machines switch ACS off in
the firmware's setup, and start the kernel with `iommu=pt`. In a virtual machine that is for its host to do.

## References
- https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
- https://github.com/NVIDIA/nccl/issues/631
- https://github.com/NVIDIA/nccl/issues/2079
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage

FAILED = r"Watchdog caught collective operation timeout|NCCL error|ncclSystemError|ncclUnhandledCudaError"
"""What PyTorch says where a collective hung or failed: torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp."""


_OFF = r"[`'\"]?(?:export )?NCCL_P2P_DISABLE ?= ?1"


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    failed = any(re.search(FAILED, message.text) for message in facts.all(ErrorMessage))
    row, tried = knowledge.message_of(match), "NCCL_P2P_DISABLE" in match[0]
    if match[0].startswith("ACSCtl") and failed:
        message = (
            "access control (ACS) is on between PCIe devices, which leads transfers of GPUs astray, and NCCL failed"
        )
    elif tried:
        message = "NCCL works only without direct transfers between GPUs: something leads them astray, as access control (ACS) and the IOMMU do"
    elif row is not None:
        message = row.means.format(**match.groupdict())
    else:
        return
    try_without = () if tried else (_without_direct_transfers(facts),)
    lasting = "on a machine without virtual machines: switch ACS off in the firmware's setup, and add iommu=pt to the kernel's command line"
    yield Finding(
        message,
        (),
        (*try_without, Remedy(lasting, needs_root=True, needs_reboot=True)),
        severity=Severity.ERROR if failed else None,
    )


def _without_direct_transfers(facts: Facts) -> Remedy:
    title = "see whether it works without direct transfers, which is slower"
    return dataclasses.replace(remedies.set_variable(facts, "NCCL_P2P_DISABLE", "1"), title=title, verify="")


REFUSED = ErrorMessage(
    "nvidia 0000:41:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0039 address=0xf2010000 flags=0x0020]", "paste"
)
HUNG = ErrorMessage("[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1)", "paste")
ACS = ErrorMessage("ACSCtl: SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+", "paste")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    heard=heard,
    messages=(
        r"ACSCtl:\s+SrcValid\+[^\n]{0,40}ReqRedir\+",
        FAILED,
        rf"(?<!n't )(?<!not )(?<!never )\b(?:works?|worked|runs?|ran)(?: \w+)? (?:with|after setting|once) {_OFF}",
        rf"{_OFF}[`'\"]? (?:works|worked|fixe[sd] (?:it|this)|solve[sd] (?:it|this)|helped)\b",
    ),
    fires={
        "it works without direct transfers": (ErrorMessage("It works with NCCL_P2P_DISABLE=1, but why?", "paste"),),
        "switching them off solved it": (ErrorMessage("setting `NCCL_P2P_DISABLE=1` fixed it for me", "paste"),),
        "the IOMMU refuses a GPU's transfer": (REFUSED,),
        "and NCCL hangs": (REFUSED, HUNG),
        "NCCL hangs, and ACS is on": (HUNG, ACS),
        "NCCL's own hint": (
            ErrorMessage(
                "NCCL INFO HINT: In many cases this error occurs when ACS is enabled which would break GPU Direct RDMA protocol.",
                "paste",
            ),
        ),
    },
    quiet={
        "it does not work without them, either": (
            ErrorMessage("it doesn't work with NCCL_P2P_DISABLE=1 and hangs", "paste"),
        ),
        "ACS is on, and nothing hangs": (ACS,),
        "NCCL hangs for another reason": (HUNG,),
        "another device's transfer is refused": (
            ErrorMessage("xhci_hcd 0000:02:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000f]", "paste"),
        ),
    },
)

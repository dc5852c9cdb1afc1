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


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    failed = any(re.search(FAILED, message.text) for message in facts.all(ErrorMessage))
    row = knowledge.message_of(match)
    if match[0].startswith("ACSCtl") and failed:
        message = (
            "access control (ACS) is on between PCIe devices, which leads transfers of GPUs astray, and NCCL failed"
        )
    elif row is not None:
        message = row.means.format(**match.groupdict())
    else:
        return
    try_without = remedies.set_variable(facts, "NCCL_P2P_DISABLE", "1")
    title = "see whether it works without direct transfers, which is slower"
    try_without = dataclasses.replace(try_without, title=title, verify="")
    lasting = "on a machine without virtual machines: switch ACS off in the firmware's setup, and add iommu=pt to the kernel's command line"
    yield Finding(
        message,
        (),
        (try_without, Remedy(lasting, needs_root=True, needs_reboot=True)),
        severity=Severity.ERROR if failed else None,
    )


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
    messages=(r"ACSCtl:\s+SrcValid\+[^\n]{0,40}ReqRedir\+", FAILED),
    fires={
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
        "ACS is on, and nothing hangs": (ACS,),
        "NCCL hangs for another reason": (HUNG,),
        "another device's transfer is refused": (
            ErrorMessage("xhci_hcd 0000:02:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000f]", "paste"),
        ),
    },
)

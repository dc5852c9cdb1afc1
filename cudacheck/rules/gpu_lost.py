"""A GPU fell off the bus, or the driver lost contact with it.

## What it does
Speaks when NVML says that a GPU is lost or must be reset, when a GPU's PCI configuration space reads all ones, and when
the kernel log has Xid 79. A laptop's GPU that is powered down reads all ones too: it counts only while NVIDIA's
driver owns it or nothing answers.

## Why it matters
All CUDA calls on that GPU fail until it is reset, and often those on its neighbours. The cause is power, heat, the
slot or riser, or a dying board.

## What to do
Reboot, or better switch the machine off and on. If it happens again: check power cables and temperatures, update the
firmware, try another slot, limit the clock (`sudo nvidia-smi -lgc 300,1500`) to see whether it is power, and have the
board replaced.

## References
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/507
- https://github.com/rwth-i6/returnn/issues/1486
- https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine

UNREACHABLE = {15: "GPU is lost", 16: "GPU requires reset"}
"""NVML_ERROR_GPU_IS_LOST and NVML_ERROR_RESET_REQUIRED"""
LOST = {*UNREACHABLE, 999}
"""and NVML_ERROR_UNKNOWN for a handle"""


def check(
    nvml: Nvml | None, gpus: tuple[Gpu, ...] | None, pci: tuple[PciGpu, ...] | None, facts: Facts
) -> Iterator[Finding]:
    seen = [
        Evidence(f"{_machine.gpu_label(gpu)}: {gpu.error} ({gpu.error_code})", gpu.found_in)
        for gpu in gpus or ()
        if gpu.error_code in LOST
    ]
    if nvml is not None and nvml.init_code in UNREACHABLE:
        words = nvml.init_error or UNREACHABLE[nvml.init_code]
        seen.append(Evidence(f"nvmlInit {nvml.init_code}: {words}", nvml.found_in))
    answering = {gpu.pci_address for gpu in gpus or () if not gpu.error}
    seen += [
        Evidence(f"{gpu.address} reads all ones", gpu.found_in)
        for gpu in pci or ()
        if gpu.lost and gpu.address not in answering and _is_ours(gpu, facts)
    ]
    if seen:
        yield Finding("a GPU fell off the bus, or hangs: it must be reset", tuple(seen), _remedies())


def _is_ours(gpu: PciGpu, facts: Facts) -> bool:
    """A container sees all GPUs of its host on the bus."""
    if not _driver.answers(facts):
        return True
    return gpu.driver == "nvidia" and not _machine.in_container(facts.one(System))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if not _driver.is_past(said, facts):
        row = knowledge.message_of(match)
        message = row.means if row else "a GPU fell off the bus: the driver lost contact with it"
        yield Finding(message, (), _remedies())


def _remedies() -> tuple[Remedy, ...]:
    return (
        remedies.reboot(),
        Remedy("if it comes back: check power cables, temperature and slot, update the firmware, replace the board"),
    )


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.HARDWARE,
    fix_by=FixBy.NODE,
    joins=(
        Family.NO_DRIVER,
        Family.NO_KERNEL_MODULE,
        Family.BROKEN_HARDWARE,
    ),
    check=check,
    heard=heard,
    messages=(
        r"(?:GPU|installed in this system) has\s+(?:NVRM:\s+)?fallen off the bus",
        r"Xid\b[^\n]{0,40}: 79\b",
        r"GPU is lost|GPU_IS_LOST|NVMLError_GpuIsLost",
        r"Unable to determine the device handle for (?:GPU|gpu)",
    ),
    asks=(
        Ask(
            Nvml,
            "`Unable to determine the device handle`, or `GPU is lost`",
            "Unable to determine the device handle for GPU0000:03:00.0: GPU is lost.  Reboot the system to recover this GPU",
        ),
    ),
    fires={
        "its firmware does not answer": (
            ErrorMessage("NVRM: Xid (PCI:0001:6c:00): 119, pid=10200, name=x, Timeout after 45s of waiting", "paste"),
        ),
        "NVML cannot reach one of two": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="GPU is lost", error_code=15),
        ),
        "all ones on the bus, with NVIDIA's driver bound": (
            PciBus(readable=True),
            PciGpu("0000:02:00.0", "0xffff", driver="nvidia", lost=True),
            Nvml(library_found=True, init_code=9),
        ),
        "Xid 79": (
            ErrorMessage("NVRM: Xid (PCI:0000:02:00): 79, GPU has fallen off the bus.", "kernel log (/dev/kmsg)"),
        ),
        "the kernel log says so on several lines": (
            ErrorMessage(
                "NVRM: (PCI ID: 10de:26b5) installed in this system has\n"
                "               NVRM: fallen off the bus and is not responding to commands.",
                "ticket.txt",
            ),
        ),
        "nvidia-smi says so": (
            ErrorMessage("Unable to determine the device handle for GPU0000:03:00.0: Unknown Error", "ticket.txt"),
        ),
        "NVML does not start: a GPU is lost": (Nvml(library_found=True, init_code=15),),
        "NVML does not start: a reset is required": (Nvml(library_found=True, init_code=16),),
        "one of two needs a reset": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="GPU requires reset", error_code=16),
        ),
        "one of two answers nothing that is known": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="Unknown Error", error_code=999),
        ),
        "all ones, while the other answers": (
            System(os="linux", container=""),
            PciBus(readable=True),
            PciGpu("0000:02:00.0", "0x2335", driver="nvidia", lost=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:01:00.0"),
        ),
        "all ones, and NVML's own answer is an error": (
            System(os="linux", container=""),
            PciBus(readable=True),
            PciGpu("0000:02:00.0", "0x2335", driver="nvidia", lost=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:02:00.0", error="Timeout", error_code=10),
        ),
        "a program says so, and nvidia-smi's table shows the GPU": (
            Nvml(library_found=None, init_code=0, gpu_count=1, found_in="nvidia-smi"),
            Gpu(0, "NVIDIA H200", found_in="nvidia-smi"),
            ErrorMessage("Unable to determine the device handle for GPU0000:03:00.0: Unknown Error", "ticket.txt"),
        ),
    },
    quiet={
        "a laptop's second GPU, powered down": (
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia", lost=False),
            PciGpu("0000:02:00.0", "0x1c8d", driver="", lost=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:01:00.0"),
        ),
        "Xid 79 before a reset, and all GPUs answer now": (
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia", lost=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:01:00.0"),
            ErrorMessage("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", "kernel log (/dev/kmsg)"),
        ),
        "no permission is another fault": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, error="Insufficient Permissions", error_code=4),
        ),
        "NVML fails for another reason": (Nvml(library_found=True, init_code=14),),
        "others' lost GPU, seen from a container": (
            System(os="linux", container="docker"),
            PciBus(readable=True),
            PciGpu("0000:02:00.0", "0x2335", driver="nvidia", lost=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:01:00.0"),
        ),
        "all ones were read while it slept, and NVML answers for it": (
            System(os="linux", container=""),
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2335", driver="nvidia", lost=True),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, pci_address="0000:01:00.0"),
        ),
    },
)

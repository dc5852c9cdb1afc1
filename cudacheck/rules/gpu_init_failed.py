"""The NVIDIA driver is loaded, but it could not start the GPU.

## What it does
Speaks when NVML works and counts no GPU although the PCI bus has one, when NVML cannot open a GPU for want of power or
interrupts or because of its board memory, and when the kernel log says `RmInitAdapter failed`, that the GPU's firmware
(GSP) could not be started, or that this driver leaves the GPU out.

## Why it matters
To CUDA a GPU that did not start is not there. The reason is below all software that you install for Python: firmware
setup, power, the driver's firmware files, the wrong driver branch for this GPU, or the board itself.

## What to do
Read the line of the kernel log. Switch on "Above 4G decoding" and "Resizable BAR" in the firmware's setup, check that
all power cables are plugged in, install the firmware package of exactly this driver version, reseat the board, and
try it in another machine.

## References
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/862
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/789
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine, _messages

NOT_STARTED = {8, 11, 14}
"""NVML_ERROR_INSUFFICIENT_POWER, NVML_ERROR_IRQ_ISSUE, NVML_ERROR_CORRUPTED_INFOROM"""


def check(nvml: Nvml, gpus: tuple[Gpu, ...] | None, facts: Facts) -> Iterator[Finding]:
    if _driver.owner_of_silence(nvml, facts) == "gpu-init-failed":
        message = "the NVIDIA driver is loaded, but it could not start the GPU"
        yield Finding(message, _driver.silence_evidence(facts), _remedies())
    failed = [gpu for gpu in gpus or () if gpu.error_code in NOT_STARTED]
    if failed:
        message = f"the NVIDIA driver cannot start {_machine.names_of(failed)}: {failed[0].error}"
        seen = tuple(Evidence(f"{_machine.gpu_label(g)}: {g.error} ({g.error_code})", g.found_in) for g in failed)
        yield Finding(message, seen, _remedies())


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _driver.is_past(said, facts) or ("No devices" in match[0] and facts.is_answered(PciBus)):
        return
    groups = match.groupdict()
    message, remedies = "the NVIDIA driver could not start the GPU", _remedies()
    if groups.get("legacy"):
        message = f"this GPU is too old for the installed driver: branch {match['branch']} is its last"
        remedies = (Remedy(f"install the driver of branch {match['branch']}", needs_root=True, needs_reboot=True),)
    elif groups.get("closed"):
        message = "the open kernel modules do not serve this GPU, which is older than Turing"
        title = "install the proprietary flavour of the driver, of branch 580 or older"
        remedies = (Remedy(title, needs_root=True, needs_reboot=True, verify="nvidia-smi"),)
    yield Finding(message, (), remedies)


def _remedies() -> tuple[Remedy, ...]:
    read = ("sudo dmesg | grep -i nvrm | tail -n 20",)
    return (
        Remedy("read why, in the kernel log", read, needs_root=True, verify="nvidia-smi"),
        Remedy("in the firmware's setup switch on Above 4G decoding and Resizable BAR; check the power cables"),
    )


BARE = System(os="linux", container="", wsl=0, jetson=False)
RTX_4090 = PciGpu("0000:01:00.0", "0x2684", driver="nvidia")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    joins=(
        Family.NO_DRIVER,
        Family.NO_KERNEL_MODULE,
        Family.BROKEN_HARDWARE,
    ),
    explained_by=(
        "no-gpu",
        "open-module-required",
        "nouveau-loaded",
        "gpu-lost",
        "device-permission",
    ),
    check=check,
    heard=heard,
    messages=(
        r"RmInitAdapter(?: failed|: Cannot initialize GSP)",
        r"Cannot initialize GSP firmware RM",
        r"(?P<legacy>is supported through the NVIDIA (?P<branch>\d+)\.\S* Legacy drivers)",
        r"(?P<closed>is not supported by open\s+nvidia\.ko)",
        r"(?m)^[ \t|]*No devices were found[ \t|.]*$",
    ),
    ambiguous=_messages.leave_it_open,
    asks=(
        Ask(Nvml, "`No devices were found`", "No devices were found"),
        Ask(
            KernelModule,
            "`Open Kernel Module`",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22-I3)",
        ),
    ),
    fires={
        "the firmware gave it no memory window": (
            ErrorMessage(
                "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:\nNVRM: BAR0 is 0M @ 0x0",
                "kernel log",
            ),
        ),
        "NVML counts none, the bus has one": (
            BARE,
            PciBus(readable=True),
            RTX_4090,
            Nvml(library_found=True, init_code=0, gpu_count=0),
            KernelModule(loaded=True, flavour="open"),
        ),
        "no power": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="Insufficient External Power", error_code=8),
        ),
        "the kernel log says so": (
            ErrorMessage("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)", "kernel log (/dev/kmsg)"),
        ),
        "a GPU that only an older branch serves": (
            ErrorMessage(
                "NVRM: The NVIDIA GeForce GT 710 GPU installed in this system is supported through the NVIDIA 470.xx "
                "Legacy drivers.",
                "ticket.txt",
            ),
        ),
        "an error that only the GPU's own answer tells": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="infoROM is corrupted", error_code=14),
        ),
        "interrupts go astray": (
            Nvml(library_found=True, init_code=0, gpu_count=2),
            Gpu(0, "NVIDIA H200"),
            Gpu(1, error="Interrupt Request issue", error_code=11),
        ),
        "nvidia-smi finds none": (ErrorMessage("No devices were found", "nvidia-smi"),),
        "the kernel log, on a machine of which the bus was read": (
            PciBus(readable=True),
            ErrorMessage("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)", "ticket.txt"),
        ),
    },
    quiet={
        "two of two": (Nvml(library_found=True, init_code=0, gpu_count=2), Gpu(0), Gpu(1)),
        "an old line of the kernel log, and the GPU answers now": (
            PciBus(readable=True),
            RTX_4090,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            Gpu(0, "NVIDIA GeForce RTX 4090"),
            ErrorMessage("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:884)", "kernel log (/dev/kmsg)"),
        ),
        "Blackwell and the proprietary module: open-module-required": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2b85", driver="nvidia"),
            Nvml(library_found=True, init_code=0, gpu_count=0),
            KernelModule(loaded=True, flavour="proprietary"),
        ),
        "nvidia-smi finds none where the bus was looked at": (
            PciBus(readable=True),
            ErrorMessage("No devices were found", "nvidia-smi"),
        ),
    },
)

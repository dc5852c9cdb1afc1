"""The GPU needs the open NVIDIA kernel modules, and the proprietary ones are installed.

## What it does
Compares the GPU's PCI device id (Blackwell and newer) with the flavour of the loaded module when the driver runs and
yet finds no GPU, and hears the driver's own sentence in the kernel log.

## Why it matters
NVIDIA's driver comes with two kernel modules. The proprietary one ends with Ada and Hopper: with it, `nvidia-smi` says
"No devices were found" for a Blackwell GPU.

## What to do
Install the open flavour of the same driver branch: packages named `-open`, or the .run file's question about the
kernel module type answered with MIT/GPL.

## References
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/872
- https://github.com/NVIDIA/open-gpu-kernel-modules/issues/862
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine

MESSAGE = "this GPU needs NVIDIA's open kernel modules, and the proprietary ones are installed"


def check(nvml: Nvml, module: KernelModule, pci: tuple[PciGpu, ...], facts: Facts) -> Iterator[Finding]:
    if _driver.owner_of_silence(nvml, facts) != "open-module-required":
        return
    seen = [Evidence(f"NVIDIA GPU {gpu.device_id} at {gpu.address}", gpu.found_in) for gpu in _machine.blackwell(pci)]
    seen.append(Evidence(f"{module.flavour} kernel module {module.version or ''}".strip(), module.found_in))
    seen.append(Evidence("NVML counts 0 GPUs", nvml.found_in))
    yield Finding(MESSAGE, tuple(seen), _remedies(facts))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if not _driver.is_past(said, facts):
        yield Finding(MESSAGE, (), _remedies(facts))


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    system = facts.one(System)
    commands: tuple[str, ...] = ()
    if re.match(r"Ubuntu 2[2-9]", (system.distribution if system else None) or "") and not _machine.in_container(
        system
    ):
        commands = ("sudo apt update", "sudo apt install nvidia-driver-580-open")
    title = "install the open flavour of the driver"
    if not commands:
        title += ": the packages named -open, or the MIT/GPL choice of NVIDIA's installer"
    return (Remedy(title, commands, needs_root=True, needs_reboot=True, verify="nvidia-smi"),)


BARE = System(os="linux", distribution="Ubuntu 24.04.1 LTS", container="", wsl=0, jetson=False)
RTX_5090 = PciGpu("0000:01:00.0", "0x2b85", driver="nvidia")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    joins=(
        Family.NO_DRIVER,
        Family.NO_KERNEL_MODULE,
    ),
    check=check,
    heard=heard,
    messages=(r"requires use of the NVIDIA\s+open kernel modules",),
    asks=(
        Ask(Nvml, "`No devices were found`", "No devices were found"),
        Ask(
            PciGpu,
            "a GPU of Blackwell or newer",
            "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GB202 [10de:2b85] (rev a1)\n"
            "\tKernel driver in use: nvidia\n"
            "\tKernel modules: nvidiafb, nouveau, nvidia",
        ),
        Ask(
            KernelModule,
            "a version without `Open`",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2025",
        ),
    ),
    fires={
        "an RTX 5090 and the proprietary module": (
            BARE,
            PciBus(readable=True),
            RTX_5090,
            Nvml(library_found=True, init_code=0, gpu_count=0),
            KernelModule(loaded=True, version="570.124.06", flavour="proprietary"),
        ),
        "the kernel log says so": (
            ErrorMessage(
                "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85) installed in this system requires use of the "
                "NVIDIA open kernel modules.",
                "kernel log (/dev/kmsg)",
            ),
        ),
    },
    quiet={
        "an RTX 5090 and the open module": (
            BARE,
            PciBus(readable=True),
            RTX_5090,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, version="580.95.05", flavour="open"),
        ),
        "an RTX 4090 and the proprietary module": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia"),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, version="570.124.06", flavour="proprietary"),
        ),
        "none found, flavour unknown": (
            BARE,
            PciBus(readable=True),
            RTX_5090,
            Nvml(library_found=True, init_code=0, gpu_count=0),
            KernelModule(loaded=True),
        ),
    },
)

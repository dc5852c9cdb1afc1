"""The NVIDIA driver is installed, but its kernel module is not loaded.

## What it does
Reads what NVML answers (error 9, driver not loaded) and whether the kernel has the module `nvidia`. Where the reason
can be seen, a finer rule speaks instead: `kernel-module-missing`, `secure-boot-unsigned`, `nouveau-loaded`,
`open-module-required`.

## Why it matters
The libraries are only the upper half of the driver. Without the module there are no device files, `nvidia-smi` cannot
talk to anything, and CUDA sees no GPU.

## What to do
Load the module by hand and read what the kernel says: the error names the reason. After a fresh installation a reboot
is what is missing most often.

## References
- https://github.com/pytorch/pytorch/issues/74733
- https://github.com/CachyOS/linux-cachyos/issues/118
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes.host.device_nodes import DeviceNode
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine, _messages


def check(nvml: Nvml, facts: Facts) -> Iterator[Finding]:
    if _driver.owner_of_silence(nvml, facts) != "driver-not-loaded":
        return
    yield Finding(
        "the NVIDIA driver is installed, but its kernel module is not loaded",
        evidence=_driver.silence_evidence(facts),
        remedies=_remedies(facts),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if facts.is_answered(PciBus) or _driver.answers(facts):
        return  # what was looked at itself is judged by `check`
    yield Finding(
        "nothing reaches the NVIDIA driver: its kernel module is not loaded",
        evidence=(),
        remedies=_remedies(facts),
    )


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    system, module = facts.one(System), facts.one(KernelModule)
    if _machine.drivers_of(system) == ("windows",):
        return (Remedy("reinstall the NVIDIA driver in Windows, from https://www.nvidia.com/drivers"),)
    if _machine.in_container(system):
        return (Remedy("on the host: load the driver's module, then start the container again", needs_root=True),)
    commands = ("sudo modprobe nvidia", "sudo dmesg | grep -iE 'nvrm|nvidia' | tail -n 20")
    load = Remedy("load the module, and read why it refuses", commands, needs_root=True, verify="nvidia-smi")
    if module is not None and module.built_for_kernel is False:
        return (_machine.install_driver(facts),)
    return (load,)


BARE = System(os="linux", container="", wsl=0, jetson=False)
UNLOADED = Nvml(library_found=True, init_code=9, init_error="Driver Not Loaded")
A10 = PciGpu("0000:00:1e.0", "0x2236", driver="")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.KERNEL,
    fix_by=FixBy.NODE,
    joins=(Family.NO_DRIVER,),
    explained_by=(Family.NO_KERNEL_MODULE,),
    check=check,
    heard=heard,
    messages=(
        r"couldn't\s+communicate\s+with\s+the\s+NVIDIA\s+driver",
        r"(?i:failed to initialize nvml:? driver not loaded|nvml error: driver not loaded)|NVMLError_DriverNotLoaded",
    ),
    ambiguous=_messages.leave_it_open,
    asks=(
        Ask(
            Nvml,
            "`couldn't communicate with the NVIDIA driver`",
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        ),
        Ask(
            PciGpu,
            "a GPU without `Kernel driver in use`",
            "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [10de:2684] (rev a1)\n"
            "\tKernel modules: nvidiafb, nouveau, nvidia",
        ),
    ),
    fires={
        "the installer could not load its module": (
            ErrorMessage("ERROR: Unable to load the kernel module 'nvidia.ko'.", "nvidia-installer.log"),
        ),
        "installed and not loaded": (BARE, PciBus(readable=True), A10, UNLOADED, KernelModule(loaded=False)),
        "built for this kernel, and the library is gone": (
            System(os="linux", container="", wsl=0, jetson=False, secure_boot=False),
            PciBus(readable=True),
            A10,
            Nvml(library_found=False, init_code=12),
            KernelModule(loaded=False, built_for_kernel=True, kernel="6.8.0-64-generic"),
        ),
        "nvidia-smi says so": (
            ErrorMessage(
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
                "NVIDIA driver is installed and running.",
                "ticket.txt",
            ),
        ),
    },
    quiet={
        "NVML answers; gVisor shows no modules": (
            PciBus(readable=False),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=False),
        ),
        "no module for this kernel: kernel-module-missing": (
            BARE,
            PciBus(readable=True),
            A10,
            UNLOADED,
            KernelModule(loaded=False, built_for_kernel=False, other_kernels=("6.8.0-60-generic",)),
        ),
        "Secure Boot: secure-boot-unsigned": (
            System(os="linux", container="", wsl=0, jetson=False, secure_boot=True),
            PciBus(readable=True),
            A10,
            UNLOADED,
            KernelModule(loaded=False, built_for_kernel=True),
        ),
        "a container with a library of its own and no device files": (
            System(os="linux", container="docker", wsl=0, jetson=False),
            PciBus(readable=True),
            A10,
            DeviceNode("/dev/nvidiactl", exists=False),
            UNLOADED,
        ),
        "nvidia-smi says so where the bus was looked at: no GPU": (
            BARE,
            PciBus(readable=True),
            ErrorMessage("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "ticket.txt"),
        ),
        "nvidia-smi said so, and NVML answers now": (
            Nvml(library_found=True, init_code=0, gpu_count=1),
            ErrorMessage("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "ticket.txt"),
        ),
    },
)

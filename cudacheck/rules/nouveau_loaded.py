"""Another kernel driver than NVIDIA's owns the GPU: nouveau, or vfio for a virtual machine.

## What it does
Reads which kernel driver the GPU is bound to on the PCI bus, and hears NVIDIA's own complaint in the kernel log that
its probe routine was not called. A GPU of several that is set aside for a virtual machine is no fault while NVIDIA's
driver answers with another.

## Why it matters
Only one driver can own a device. While nouveau, the kernel's free driver, has it, NVIDIA's module finds nothing to
drive, and CUDA does not work with nouveau.

## What to do
Install NVIDIA's driver where it is missing: its packages put nouveau on the blacklist. Where it is installed, do so by
hand, rebuild the initial RAM disk and reboot. A GPU bound to vfio-pci is reserved for a virtual machine on purpose:
use it there, or take it off that list.

## References
- https://github.com/NVIDIA/gpu-operator/issues/8
- https://github.com/Oneflow-Inc/oneflow/issues/3106
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


def check(nvml: Nvml, pci: tuple[PciGpu, ...], module: KernelModule | None, facts: Facts) -> Iterator[Finding]:
    owned = _machine.foreign(pci)
    if not owned or _driver.owner_of_silence(nvml, facts) != "nouveau-loaded":
        return
    owner = owned[0].driver or ""
    installed = nvml.library_found or (module is not None and module.built_for_kernel)
    message = f"{owner} owns the GPU, " + (
        "so NVIDIA's driver cannot" if installed else "and NVIDIA's is not installed"
    )
    if "vfio" in owner or "pci-stub" in owner:
        message = f"the GPU is reserved for a virtual machine: {owner} owns it"
    yield Finding(
        message,
        evidence=tuple(Evidence(f"{gpu.driver} drives {gpu.address}", gpu.found_in) for gpu in owned),
        remedies=_remedies(owner, facts, installed=bool(installed)),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _driver.is_past(said, facts) or ("in use" in match[0] and _driver.answers(facts)):
        return
    message = "another driver, such as nouveau, took the GPU before NVIDIA's"
    yield Finding(message, (), _remedies("nouveau", facts, installed=True))


def _remedies(owner: str, facts: Facts, *, installed: bool) -> tuple[Remedy, ...]:
    if "vfio" in owner or "pci-stub" in owner:
        return (
            Remedy("use the GPU in that virtual machine, or take its id out of the vfio-pci.ids option and reboot"),
        )
    if not installed:
        return (_machine.install_driver(facts),)
    if _machine.in_container(facts.one(System)):
        return (Remedy("on the host: put nouveau on the blacklist and reboot", needs_root=True, needs_reboot=True),)
    rebuild = "if command -v update-initramfs >/dev/null; then sudo update-initramfs -u; else sudo dracut --force; fi"
    blacklist = (
        r"printf 'blacklist nouveau\noptions nouveau modeset=0\n' | sudo tee /etc/modprobe.d/blacklist-nouveau.conf"
    )
    return (
        Remedy(
            "put nouveau on the blacklist",
            (blacklist, rebuild, "sudo reboot"),
            needs_root=True,
            needs_reboot=True,
            verify="nvidia-smi",
        ),
    )


BARE = System(os="linux", container="", wsl=0, jetson=False)
NOUVEAU = PciGpu("0000:01:00.0", "0x2684", driver="nouveau", found_in="/sys/bus/pci/devices/0000:01:00.0")


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
    messages=(
        r"NVIDIA probe routine was not called for \d+ device",
        r"Nouveau kernel driver is currently in use by your system|Kernel driver in use: nouveau",
    ),
    asks=(
        Ask(
            PciGpu,
            "`Kernel driver in use: nouveau`",
            "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)\n"
            "\tKernel driver in use: nouveau\n"
            "\tKernel modules: nouveau",
        ),
    ),
    fires={
        "nouveau has it, NVIDIA's driver is installed": (
            BARE,
            PciBus(readable=True),
            NOUVEAU,
            Nvml(library_found=True, init_code=9),
            KernelModule(loaded=False, nouveau_loaded=True, built_for_kernel=True),
        ),
        "nouveau has it, nothing is installed": (
            BARE,
            PciBus(readable=True),
            NOUVEAU,
            Nvml(library_found=False, init_code=12),
        ),
        "vfio-pci has it": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="vfio-pci"),
            Nvml(library_found=True, init_code=9),
        ),
        "the kernel log says so": (
            ErrorMessage("NVRM: The NVIDIA probe routine was not called for 1 device(s).", "kernel log (/dev/kmsg)"),
        ),
        "NVIDIA's installer says so": (
            ErrorMessage("ERROR: The Nouveau kernel driver is currently in use by your system.", "ticket.txt"),
        ),
        "nouveau has it, and NVIDIA's module alone is there": (
            BARE,
            PciBus(readable=True),
            NOUVEAU,
            Nvml(library_found=False, init_code=12),
            KernelModule(loaded=False, nouveau_loaded=True, built_for_kernel=True),
        ),
    },
    quiet={
        "lspci shows nouveau on one GPU, and NVIDIA's driver has another": (
            ErrorMessage("        Kernel driver in use: nouveau", "ticket.txt"),
            Nvml(library_found=None, init_code=0, gpu_count=1, driver_version="550.54.14", found_in="nvidia-smi"),
        ),
        "one GPU for a virtual machine, one for CUDA": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia"),
            PciGpu("0000:02:00.0", "0x2684", driver="vfio-pci"),
            Nvml(library_found=True, init_code=0, gpu_count=1),
        ),
        "the module is loaded for nothing, and the GPU is NVIDIA's": (
            BARE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia"),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, nouveau_loaded=True),
        ),
    },
)

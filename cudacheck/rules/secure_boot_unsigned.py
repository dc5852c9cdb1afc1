"""Secure Boot keeps the NVIDIA kernel module from being loaded.

## What it does
Reads the firmware's Secure Boot variable. It speaks when Secure Boot is on, the module was built for the running
kernel, and yet it is not loaded; and when modprobe or the kernel says that the key was rejected.

## Why it matters
With Secure Boot, the kernel loads only modules that are signed with an enrolled key. A module that DKMS builds is
signed with a key of this machine, which the firmware does not know until you enrol it.

## What to do
Enrol the machine's key: `mokutil` asks for a password, and a blue screen asks for it again at the next boot. Or take
modules that the distribution signs (Ubuntu's linux-modules-nvidia-* packages), or switch Secure Boot off.

## References
- https://github.com/gridhead/nvidia-auto-installer-for-fedora-linux/issues/75
- https://github.com/MicrosoftDocs/azure-docs/issues/111536
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver

KEYS = {
    "Ubuntu": "/var/lib/shim-signed/mok/MOK.der",
    "Debian": "/var/lib/dkms/mok.pub",
    "Fedora": "/etc/pki/akmods/certs/public_key.der",
}
"""Where the tool that builds the module keeps this machine's key."""


def check(nvml: Nvml, system: System, module: KernelModule, facts: Facts) -> Iterator[Finding]:
    if _driver.owner_of_silence(nvml, facts) != "secure-boot-unsigned":
        return
    seen = (
        Evidence("Secure Boot is on", "/sys/firmware/efi/efivars"),
        Evidence(f"module built for {module.kernel or 'this kernel'}, not loaded", module.found_in),
    )
    message = "Secure Boot is on, and the kernel does not load the NVIDIA module: its key is not enrolled"
    yield Finding(message, seen, _remedies(system))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _driver.answers(facts) or _is_of_another_module(match, facts):
        return
    message = "Secure Boot rejects the NVIDIA kernel module: its key is not enrolled"
    yield Finding(message, (), _remedies(facts.one(System)))


def _is_of_another_module(match: re.Match[str], facts: Facts) -> bool:
    """Whether the rejected module is not NVIDIA's: a sensor's, a virtual machine's."""
    named = match.groupdict()
    if named.get("any"):
        return not any("nvidia" in said.text.lower() for said in facts.all(ErrorMessage))
    return bool(named.get("module")) and "nvidia" not in named["module"]


def _remedies(system: System | None) -> tuple[Remedy, ...]:
    name = (system.distribution if system else None) or ""
    key = next((path for known, path in KEYS.items() if name.startswith(known)), None)
    commands = (f"sudo mokutil --import {key}", "sudo reboot") if key else ()
    title = "enrol the key that the module is signed with, and confirm it on the blue screen of the next boot"
    return (
        Remedy(title, commands, needs_root=True, needs_reboot=True, verify="nvidia-smi"),
        Remedy("switch Secure Boot off in the firmware's setup", needs_reboot=True, verify="nvidia-smi"),
    )


SECURE = System(os="linux", distribution="Ubuntu 24.04.1 LTS", container="", wsl=0, jetson=False, secure_boot=True)
RTX_4090 = PciGpu("0000:01:00.0", "0x2684", driver="")


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
        r"(?:insert (?:module )?['\"]?(?P<module>[\w./-]{1,100}?)['\"]?: )?Key was rejected by service",
        r"nvidia[^\n]{0,60}Required key not available",
        r"Loading of (?:unsigned module|module with unavailable key) is rejected",
        r"Secure [Bb]oot is enabled on this system, so this is likely because it was not signed",
        r"(?P<any>unsigned module loading is restricted; see man kernel_lockdown)",
    ),
    fires={
        "built by DKMS, Secure Boot on, not loaded": (
            SECURE,
            PciBus(readable=True),
            RTX_4090,
            Nvml(library_found=True, init_code=9),
            KernelModule(loaded=False, kernel="6.8.0-64-generic", built_for_kernel=True),
        ),
        "modprobe says so": (
            ErrorMessage("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service", "ticket.txt"),
        ),
        "NVIDIA's installer says so": (
            ErrorMessage(
                "ERROR: The kernel module failed to load. Secure boot is enabled on this system, so this is likely because "
                "it was not signed by a key that is trusted by the kernel.",
                "ticket.txt",
            ),
        ),
        "the kernel is locked down, and nvidia-smi fails": (
            ErrorMessage(
                "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7", "dmesg"
            ),
            ErrorMessage("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "ticket.txt"),
        ),
    },
    quiet={
        "a sensor's module is rejected": (
            ErrorMessage("modprobe: ERROR: could not insert 'nct6687': Key was rejected by service", "ticket.txt"),
        ),
        "the kernel is locked down, and refused some module": (
            ErrorMessage(
                "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7", "dmesg"
            ),
        ),
        "Secure Boot on, the module signed and loaded": (
            SECURE,
            PciBus(readable=True),
            PciGpu("0000:01:00.0", "0x2684", driver="nvidia"),
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, built_for_kernel=True),
        ),
        "not loaded, and Secure Boot off": (
            System(os="linux", container="", wsl=0, jetson=False, secure_boot=False),
            PciBus(readable=True),
            RTX_4090,
            Nvml(library_found=True, init_code=9),
            KernelModule(loaded=False, built_for_kernel=True),
        ),
    },
)

"""The NVIDIA driver has no kernel module for the running kernel.

## What it does
Looks for the module `nvidia` under /lib/modules of the running kernel. It speaks when there is none there, but one for
another kernel, or DKMS knows a version of it, and the driver does not answer.

## Why it matters
A kernel module fits one kernel. After a kernel update it has to be built or installed again; when that failed, or the
headers were missing, the driver is gone after the next reboot.

## What to do
Install the headers of the running kernel and let DKMS build the module (its log, /var/lib/dkms/nvidia/*/build/make.log,
says why it could not), or boot the older kernel.

## References
- https://github.com/GoogleCloudPlatform/compute-gpu-installation/pull/18
- https://github.com/qixuema/envs/issues/4
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.pci import PciBus, PciGpu
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine, _messages


def check(nvml: Nvml, module: KernelModule, facts: Facts) -> Iterator[Finding]:
    if _driver.owner_of_silence(nvml, facts) != "kernel-module-missing":
        return
    kernel = module.kernel or "the running kernel"
    seen = [Evidence(f"no nvidia module for {kernel}", f"/lib/modules/{module.kernel or ''}")]
    seen += [Evidence(f"one for {other}", f"/lib/modules/{other}") for other in module.other_kernels[:3]]
    seen += [Evidence(f"version {version}", "/var/lib/dkms/nvidia") for version in module.dkms[:3]]
    yield _finding(f"the NVIDIA driver has no module for the running kernel {module.kernel or ''}".strip(), seen, facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _driver.answers(facts) or not _machine.on_linux(facts.one(System)):
        return
    message = f"the NVIDIA driver has no module for the running kernel {_messages.named(match, 'kernel', '')}".strip()
    yield _finding(message, [], facts)


def _finding(message: str, seen: list[Evidence], facts: Facts) -> Finding:
    return Finding(message, tuple(seen), _remedies(facts))


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    system, module = facts.one(System), facts.one(KernelModule)
    name = (system.distribution if system else None) or ""
    release = shlex.quote(module.kernel) if module is not None and module.kernel else '"$(uname -r)"'
    commands: tuple[str, ...] = ()
    if re.match("Ubuntu|Debian|Pop!_OS|Linux Mint", name) and module is not None and module.dkms:
        commands = (f"sudo apt install linux-headers-{release} dkms", "sudo dkms autoinstall", "sudo modprobe nvidia")
    elif name.startswith("Fedora"):
        commands = ("sudo akmods --force", "sudo modprobe nvidia")
    elif module is not None and module.dkms:
        commands = ("sudo dkms autoinstall", "sudo modprobe nvidia")
    title = "build the module for this kernel"
    if not commands:
        title += ": install the kernel's headers, then let DKMS or the driver's package build it"
    return (Remedy(title, commands, needs_root=True, verify="nvidia-smi"),)


BARE = System(os="linux", distribution="Ubuntu 24.04.1 LTS", container="", wsl=0, jetson=False)
A10 = PciGpu("0000:00:1e.0", "0x2236", driver="")
UNLOADED = Nvml(library_found=True, init_code=9)


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
    messages=(r"Module nvidia(?:-current)? not found(?: in directory /lib/modules/(?P<kernel>\S+)|\.(?:\s|$))",),
    fires={
        "DKMS, with the kernel on a line of its own": (
            ErrorMessage(
                "Error! Bad return status for module build on kernel:\n4.4.0-62-generic(x86-64)\n"
                "Consult /var/lib/dkms/nvidia/410.73/build/make.log for more information.",
                "paste",
            ),
        ),
        "the installer finds no headers": (
            ErrorMessage("ERROR: Unable to find the kernel source tree for the currently running kernel.", "paste"),
        ),
        "a kernel update, and DKMS did not build": (
            BARE,
            PciBus(readable=True),
            A10,
            UNLOADED,
            KernelModule(
                loaded=False,
                kernel="6.8.0-64-generic",
                built_for_kernel=False,
                other_kernels=("6.8.0-60-generic",),
                dkms=("570.124.06",),
            ),
        ),
        "modprobe says so": (
            ErrorMessage(
                "modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.8.0-64-generic", "ticket.txt"
            ),
        ),
        "modinfo says so": (ErrorMessage("modinfo: ERROR: Module nvidia not found.", "ticket.txt"),),
        "DKMS could not build it": (
            ErrorMessage(
                "Error! Bad return status for module build on kernel: 6.8.0-64-generic (x86_64)\n"
                "Consult /var/lib/dkms/nvidia/535.183.01/build/make.log for more information.",
                "ticket.txt",
            ),
        ),
    },
    quiet={
        "WSL has no module of its own": (
            System(os="linux", container="", wsl=2, jetson=False),
            ErrorMessage("modinfo: ERROR: Module nvidia not found.", "ticket.txt"),
        ),
        "built, and merely not loaded": (
            BARE,
            PciBus(readable=True),
            A10,
            UNLOADED,
            KernelModule(loaded=False, kernel="6.8.0-64-generic", built_for_kernel=True),
        ),
        "a container, which shows no /lib/modules": (
            System(os="linux", container="docker", wsl=0),
            PciBus(readable=True),
            A10,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, built_for_kernel=None),
        ),
        "loaded from elsewhere (NixOS)": (
            BARE,
            PciBus(readable=True),
            A10,
            Nvml(library_found=True, init_code=0, gpu_count=1),
            KernelModule(loaded=True, built_for_kernel=False, other_kernels=("6.6.1",)),
        ),
    },
)

"""What to type to upgrade the NVIDIA driver, by where it lives: host, Windows side of WSL, distribution."""

from __future__ import annotations

import re

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Remedy
from cudacheck.probes.host.system import System
from cudacheck.remedies.torch_choice import capabilities

# Ubuntu 22.04 and later package this branch, NVIDIA's long-term one, from its first release (580.65.06) on.
UBUNTU_BRANCH = 580
OPEN_MODULES_FROM = "7.5"
"""The open kernel modules are for Turing and later, and Blackwell has no others."""


def upgrade_driver(facts: Facts, minimum: str) -> Remedy:
    """Upgrade the NVIDIA driver to this version or newer; commands only where they are sure to lead there."""
    system = facts.one(System) or System(os="linux")
    minimum = _that_knows_the_gpus(facts, minimum, "windows" if system.os == "windows" or system.wsl else "linux")
    branch, oldest = knowledge.parse_driver(minimum)[0], next(iter(capabilities(facts)), None)
    last = knowledge.last_driver_branch(oldest) if oldest else None
    if last is not None and last < branch:
        return Remedy(
            f"no driver of branch {branch} serves this GPU: {last} is the last for compute capability {oldest}"
        )
    wanted = f"upgrade the NVIDIA driver to {minimum} or newer"
    if system.os == "windows":
        return Remedy(f"{wanted}: https://www.nvidia.com/drivers", needs_root=True, verify="nvidia-smi")
    if system.wsl:
        title = (
            f"upgrade the NVIDIA driver of Windows to {minimum} or newer (WSL uses it), then run `wsl --shutdown` there"
        )
        return Remedy(title, verify="nvidia-smi")
    if system.jetson:
        title = f"install a JetPack with driver {branch} or newer: on a Jetson the driver is part of it"
        return Remedy(title, needs_root=True, needs_reboot=True, verify="nvidia-smi")
    if system.container:
        title = f"{wanted} on the HOST: a container uses the driver of its host"
        return Remedy(title, needs_root=True, needs_reboot=True, verify="nvidia-smi")
    if last is not None and last < UBUNTU_BRANCH:
        title = f"{wanted}, of branch {last}: the last that serves this GPU"
        return Remedy(title, needs_root=True, needs_reboot=True, verify="nvidia-smi")
    where, commands = _packages(system, branch, oldest)
    return Remedy(wanted + where, commands, needs_root=True, needs_reboot=True, verify="nvidia-smi")


def _that_knows_the_gpus(facts: Facts, minimum: str, os: str) -> str:
    """The driver asked for, or the first one for the newest of the GPUs where that is newer."""
    firsts = [knowledge.first_driver(capability, os) for capability in capabilities(facts)]
    return max(minimum, *filter(None, firsts), key=knowledge.parse_driver) if any(firsts) else minimum


def _packages(system: System, branch: int, capability: str | None) -> tuple[str, tuple[str, ...]]:
    """Where the driver comes from on this distribution, and the commands; none where we are not sure."""
    name = (system.distribution or "").lower()
    is_old = capability is not None and knowledge.as_version(capability) < knowledge.as_version(OPEN_MODULES_FROM)
    ubuntu = re.match(r"ubuntu (\d+)", name)
    if ubuntu and int(ubuntu[1]) >= 22 and branch <= UBUNTU_BRANCH and capability is not None:
        package = f"nvidia-driver-{UBUNTU_BRANCH}" + ("" if is_old else "-open")
        return "", ("sudo apt update", f"sudo apt install {package}")
    if name.startswith("fedora") and not is_old:
        # https://rpmfusion.org/Howto/NVIDIA
        return " (from RPM Fusion)", ("sudo dnf install --refresh akmod-nvidia xorg-x11-drv-nvidia-cuda",)
    if name.startswith(("red hat", "rocky", "almalinux", "oracle")) and not is_old:
        # https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
        return " (from NVIDIA's repository)", ("sudo dnf install --refresh nvidia-open",)
    if name.startswith("arch") and not is_old:
        # Arch's own package serves Turing and later since branch 590.
        return "", ("sudo pacman -Syu nvidia-open",)
    return " with what your distribution or https://www.nvidia.com/drivers offers", ()

"""The NVIDIA kernel module: loaded or not, which flavour, and whether one exists for the running kernel."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.probes import ByHand, Probe, Skipped, _roots

DRIVER_VERSION = "/proc/driver/nvidia/version"
MODULE_FILE = re.compile(r"nvidia(-current|-legacy-\w+|-tesla[\w-]*)?(-open)?\.ko(\.\w+)?$")
"""`nvidia.ko.zst`, Debian's `nvidia-current.ko`; not nvidia-drm, not the kernel's nvidia-wmi-ec-backlight."""
FOLDERS = (
    "updates/dkms",
    "updates",
    "extra",
    "extra/nvidia",
    "extramodules",
    "weak-updates",
    "weak-updates/nvidia",
    "kernel/drivers/video",
    "misc",
)


@dataclass(frozen=True)
class KernelModule:
    loaded: bool | None
    """None where the kernel does not show its modules."""
    version: holds.Term | None = None
    flavour: holds.Term | None = None
    """`open` or `proprietary`."""
    uvm_loaded: bool | None = None
    nouveau_loaded: bool | None = None
    kernel: holds.Term | None = None
    """The running kernel's release."""
    built_for_kernel: bool | None = None
    """Whether /lib/modules/<running kernel> has an nvidia module; None without /lib/modules (containers)."""
    other_kernels: tuple[holds.Term, ...] = ()
    """Other kernels under /lib/modules that do have one."""
    dkms: tuple[holds.Term, ...] = ()
    """Module versions that DKMS knows (/var/lib/dkms/nvidia)."""
    hmm_disabled: bool | None = None
    """nvidia_uvm's parameter uvm_disable_hmm."""
    found_in: holds.FreeText = ""


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only Linux has kernel modules")
    kernel = (_roots.read("/proc/sys/kernel/osrelease") or os.uname().release).strip()
    said = _roots.read(DRIVER_VERSION)
    kernels = _roots.entries("/lib/modules")
    hmm_disabled = (_roots.read("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm") or "").strip()
    yield KernelModule(
        loaded=True if said else _loaded("nvidia"),
        version=_version(said) or (_roots.read("/sys/module/nvidia/version") or "").strip() or None,
        flavour=("open" if "Open Kernel Module" in said else "proprietary") if said else None,
        uvm_loaded=_loaded("nvidia_uvm"),
        nouveau_loaded=_loaded("nouveau"),
        kernel=kernel,
        built_for_kernel=_has_nvidia(kernel) if kernels else None,
        other_kernels=tuple(name for name in kernels if name != kernel and _has_nvidia(name)),
        dkms=_dkms_versions(),
        hmm_disabled={"Y": True, "N": False}.get(hmm_disabled),
        found_in=DRIVER_VERSION if said else "/proc/modules",
    )


def _loaded(module: str) -> bool | None:
    """Whether a module is there, or built into the kernel; None where the kernel shows no list."""
    if os.path.isdir(_roots.path(f"/sys/module/{module}")):
        return True
    modules = _roots.read("/proc/modules", limit=1 << 20)
    if modules is None:
        return None
    return any(line.startswith(module + " ") for line in modules.splitlines())


def _version(said: str | None) -> str | None:
    """Of `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build …`."""
    match = re.search(r"^NVRM version:.*?\s(\d{3}\.\d+(?:\.\d+)?)\s", said or "", re.MULTILINE)
    return match.group(1) if match else None


def _has_nvidia(kernel: str) -> bool:
    """Whether a kernel has an nvidia module, by the folders where packages put it, else by depmod's list."""
    folder = f"/lib/modules/{kernel}"
    presigned = [f"kernel/{name}" for name in _roots.entries(f"{folder}/kernel") if name.startswith("nvidia")]
    for place in (*FOLDERS, *presigned):
        if any(MODULE_FILE.match(name) for name in _roots.entries(f"{folder}/{place}")):
            return True
    listed = _roots.read(f"{folder}/modules.dep", limit=1 << 23) or ""
    return any(MODULE_FILE.match(name) for name in re.findall(r"^(?:[^:\n]*/)?(nvidia[^:/\n]*):", listed, re.MULTILINE))


def _dkms_versions() -> tuple[str, ...]:
    sources = [name for name in _roots.entries("/var/lib/dkms") if name.startswith("nvidia")]
    versions = {version for name in sources for version in _roots.entries(f"/var/lib/dkms/{name}")}
    return tuple(sorted(version for version in versions if re.match(r"\d{3}\.\d", version)))


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(KernelModule,),
    by_hand=ByHand("cat /proc/driver/nvidia/version"),
)

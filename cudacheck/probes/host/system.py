"""The machine itself: operating system, container and WSL signs, memory, Secure Boot, battery."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe, _roots


@dataclass(frozen=True)
class System:
    os: holds.Term
    """`linux`, `windows` or `darwin`."""
    kernel: holds.Term | None = None
    machine: holds.Term | None = None
    """`x86_64`, `aarch64` …"""
    distribution: holds.Term | None = None
    """As /etc/os-release prints it: `Ubuntu 24.04.1 LTS`."""
    glibc: holds.Term | None = None
    container: holds.Term | None = None
    """`docker`, `podman`, `kubernetes`, `apptainer`, `lxc`, `container` (other); empty when there is none."""
    wsl: int | None = None
    """0 where there is none, else 1 or 2."""
    jetson: bool | None = None
    sandbox: holds.Term | None = None
    """`gvisor` where /proc and /sys are not the kernel's own; empty when there is none."""
    cpus: int | None = None
    memory_available_bytes: int | None = None
    shm_bytes: int | None = None
    """The size of /dev/shm."""
    on_battery: bool | None = None
    secure_boot: bool | None = None
    slept: bool | None = None
    """Whether the machine has been suspended since it booted."""
    found_in: holds.FreeText = ""
    container_sign: holds.FreeText = ""
    """What tells that it is a container: `/.dockerenv`, `container=podman` …"""
    node: holds.Host = ""
    """What the machine, or the container, calls itself; or CUDACHECK_NODE, where a cluster calls it otherwise."""
    boot_id: holds.Uuid = ""
    """Of the running kernel: another one after each start."""

    IDENTITY = Identity(aside=("memory_available_bytes", "container_sign", "node", "boot_id"))


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        yield _other_system()
        return
    kernel = (_roots.read("/proc/sys/kernel/osrelease") or os.uname().release).strip()
    banner = _roots.read("/proc/version")
    container, sign = _container()
    yield System(
        os="linux",
        kernel=kernel,
        machine=os.uname().machine,
        distribution=_distribution(),
        glibc=_glibc(),
        container=container,
        container_sign=sign,
        node=os.environ.get("CUDACHECK_NODE") or os.uname().nodename,
        boot_id=(_roots.read("/proc/sys/kernel/random/boot_id") or "").strip(),
        wsl=_wsl(banner),
        jetson="-tegra" in kernel or _exists("/etc/nv_tegra_release"),
        sandbox=_sandbox(banner),
        cpus=len(os.sched_getaffinity(0)),
        memory_available_bytes=_memory_available(),
        shm_bytes=_shm_size(),
        on_battery=_on_battery(),
        secure_boot=_secure_boot(),
        slept=_slept(),
        found_in="/proc, /etc, /sys",
    )


def _other_system() -> System:
    import platform

    return System(
        os="windows" if sys.platform == "win32" else sys.platform,
        kernel=platform.release(),
        machine=platform.machine(),
        distribution=platform.platform(terse=True),
        container="",
        wsl=0,
        jetson=False,
        sandbox="",
        cpus=os.cpu_count(),
        found_in="platform",
    )


def _exists(path: str) -> bool:
    return os.path.exists(_roots.path(path))


def _distribution() -> str | None:
    text = _roots.read("/etc/os-release") or _roots.read("/usr/lib/os-release") or ""
    match = re.search(r"^PRETTY_NAME=(['\"]?)(.*)\1\s*$", text, re.MULTILINE)
    return match.group(2) if match else None


def _glibc() -> str | None:
    """As `2.39`; None where the C library is another (musl)."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").replace("glibc", "").strip() or None
    except (ValueError, OSError):
        return None


def _container() -> tuple[str, str]:
    """What kind of container this is, and the sign that says so; empty when nothing does."""
    for name, kind in (("KUBERNETES_SERVICE_HOST", "kubernetes"), ("APPTAINER_CONTAINER", "apptainer")):
        if os.environ.get(name):
            return kind, name
    for path, kind in (
        ("/.singularity.d", "apptainer"),
        ("/run/.containerenv", "podman"),
        ("/.dockerenv", "docker"),
    ):
        if _exists(path):
            return kind, path
    named = re.search(r"(?:^|\0)container=([^\0]+)", _roots.read("/proc/1/environ") or "")
    name = named.group(1) if named else os.environ.get("container", "")  # noqa: SIM112 - podman and systemd write it so
    if name and name != "wsl":
        return _kind(name), "container=" + name
    groups = _roots.read("/proc/1/cgroup") or ""
    match = re.search(r"kubepods|docker|libpod|lxc|containerd", groups)
    return (_kind(match.group()), "/proc/1/cgroup") if match else ("", "")


def _kind(name: str) -> str:
    known = {"kubepods": "kubernetes", "docker": "docker", "libpod": "podman", "podman": "podman"}
    return "lxc" if name.startswith("lxc") else known.get(name, "container")


def _wsl(banner: str | None) -> int | None:
    if banner is None:
        return None
    if "microsoft" not in banner.lower():
        return 0
    # the first kernels of WSL 2 said `microsoft-standard` alone; those of WSL 1 `-Microsoft`
    second = re.search("WSL2|microsoft-standard", banner) or _exists("/dev/dxg") or _exists("/run/WSL")
    return 2 if second else 1


def _sandbox(banner: str | None) -> str | None:
    """Tell gVisor by its name or by the build date that every version of it gives as its kernel's."""
    if banner is None:
        return None
    return "gvisor" if "gvisor" in banner.lower() or "Sun Jan 10 15:06:54 PST 2016" in banner else ""


def _memory_available() -> int | None:
    match = re.search(r"^MemAvailable:\s*(\d+) kB", _roots.read("/proc/meminfo") or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _shm_size() -> int | None:
    try:
        shm = os.statvfs(_roots.path("/dev/shm"))  # noqa: S108 - it is asked, not used
    except OSError:
        return None
    return shm.f_blocks * shm.f_frsize


def _on_battery() -> bool | None:
    """Whether a battery of the machine itself (a mouse's has the scope `Device`) feeds it."""
    supplies = "/sys/class/power_supply"
    if not _exists(supplies):
        return None
    for name in _roots.entries(supplies):
        kind, scope, status = (
            (_roots.read(f"{supplies}/{name}/{what}") or "").strip() for what in ("type", "scope", "status")
        )
        if kind == "Battery" and scope != "Device" and status == "Discharging":
            return True
    return False


def _secure_boot() -> bool | None:
    value = _roots.read("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
    return value[-1] == "\x01" if value else None


def _slept() -> bool | None:
    """The one clock goes on while the machine is suspended, the other does not."""
    if _roots.ROOT != "/":
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC) > 1


PROBE = Probe(
    collect,
    timeout_s=5.0,
    facts=(System,),
    by_hand=ByHand("uname -srm; ls /.dockerenv"),
)

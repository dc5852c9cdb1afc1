"""The machine itself: operating system, container and WSL signs, memory, Secure Boot, battery."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class System:
    os: str
    """`linux`, `windows` or `darwin`."""
    kernel: str | None = None
    machine: str | None = None
    """`x86_64`, `aarch64` …"""
    distribution: str | None = None
    """As /etc/os-release prints it: `Ubuntu 24.04.1 LTS`."""
    glibc: str | None = None
    container: str | None = None
    """`docker`, `podman`, `kubernetes`, `lxc`, `container` (some other); empty when there is none."""
    wsl: int | None = None
    """0 where there is none, else 1 or 2."""
    jetson: bool | None = None
    sandbox: str | None = None
    """`gvisor` where /proc and /sys are not the kernel's own; empty when there is none."""
    cpus: int | None = None
    memory_available_bytes: int | None = None
    shm_bytes: int | None = None
    """The size of /dev/shm."""
    on_battery: bool | None = None
    secure_boot: bool | None = None
    slept: bool | None = None
    """Whether the machine has been suspended since it booted."""
    found_in: str = ""

"""NVIDIA GPUs on the PCI bus, and the kernel driver that owns each."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class PciBus:
    readable: bool
    """False where the kernel shows no PCI devices at all (gVisor, WSL, many sandboxes): then none proves nothing."""
    found_in: str = "/sys/bus/pci/devices"


@dataclass(frozen=True)
class PciGpu:
    address: str
    """`0000:01:00.0`"""
    device_id: str
    """`0x2684`, without the vendor."""
    driver: str | None = None
    """The kernel driver bound to it: `nvidia`, `nouveau`, `vfio-pci` …; empty when none is."""
    lost: bool | None = None
    """Its configuration space reads all ones: it fell off the bus."""
    link_width: int | None = None
    link_width_max: int | None = None
    found_in: str = ""

"""NVIDIA GPUs on the PCI bus, and the kernel driver that owns each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe, _roots

DEVICES = "/sys/bus/pci/devices"
NVIDIA = "0x10de"
DISPLAY = "0x03"
"""The base class of VGA (0x0300) and 3D (0x0302) controllers; a GPU's audio and USB functions have others."""


@dataclass(frozen=True)
class PciBus:
    readable: bool
    """False where the kernel shows no PCI devices at all (gVisor, sandboxes): then none proves nothing."""
    found_in: holds.FreeText = "/sys/bus/pci/devices"


@dataclass(frozen=True)
class PciGpu:
    address: holds.Term
    """`0000:01:00.0`"""
    device_id: holds.Term
    """`0x2684`, without the vendor; empty where a paste does not tell."""
    driver: holds.Term | None = None
    """The kernel driver bound to it: `nvidia`, `nouveau`, `vfio-pci` …; empty when none is."""
    lost: bool | None = None
    """Its configuration space reads all ones: it fell off the bus."""
    link_width: int | None = None
    link_width_max: int | None = None
    found_in: holds.FreeText = ""

    IDENTITY = Identity(finer=("address",))


def collect() -> Iterator[object]:
    addresses = _roots.entries(DEVICES)
    yield PciBus(readable=bool(addresses))
    for address in addresses:
        folder = f"{DEVICES}/{address}"
        vendor, device_class = _roots.read(f"{folder}/vendor"), _roots.read(f"{folder}/class")
        if (vendor or "").strip() == NVIDIA and (device_class or "").startswith(DISPLAY):
            yield PciGpu(
                address=address,
                device_id=(_roots.read(f"{folder}/device") or "").strip(),
                driver=_driver(folder),
                lost=_lost(folder),
                link_width=_lanes(folder, "current_link_width"),
                link_width_max=_lanes(folder, "max_link_width"),
                found_in=folder,
            )


def _driver(folder: str) -> str:
    try:
        return os.path.basename(os.readlink(_roots.path(f"{folder}/driver")))
    except OSError:
        return ""


def _lost(folder: str) -> bool | None:
    """Whether the bus answers with all ones, as it does where no device is."""
    try:
        # unbuffered: root would read all 4096 bytes, each by a slow round trip to the device
        with open(_roots.path(f"{folder}/config"), "rb", buffering=0) as file:
            vendor = file.read(4)
    except OSError:
        return None
    return vendor == b"\xff" * 4 if len(vendor) == 4 else None


def _lanes(folder: str, name: str) -> int | None:
    text = (_roots.read(f"{folder}/{name}") or "").strip()
    # 0 is a device without a link (in a virtual machine, say), 63 what a lost one reads
    return int(text) if re.match(r"(1|2|4|8|12|16|32)$", text) else None


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(
        PciBus,
        PciGpu,
    ),
    by_hand=ByHand("lspci -nnk -d 10de:"),
)

"""The device files through which user space reaches the driver, and whether they open."""

from __future__ import annotations

from dataclasses import dataclass

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class DeviceNode:
    path: str
    """`/dev/nvidiactl`, `/dev/nvidia0`, `/dev/nvidia-uvm`, `/dev/dxg` …"""
    exists: bool
    open_error: str | None = None
    """`EACCES`, `EPERM` …; empty when it opens, None when it was not tried."""
    mode: str | None = None
    """`crw-rw-rw-`"""

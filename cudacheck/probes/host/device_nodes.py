"""The device files through which user space reaches the driver, and whether they open."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped, _roots

OPENED = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
NOT_OPENED = ("/dev/nvidia-caps", "/dev/dxg")
GPU_NAME = re.compile(r"nvidia\d+$")


@dataclass(frozen=True)
class DeviceNode:
    path: holds.Path
    """`/dev/nvidiactl`, `/dev/nvidia0`, `/dev/nvidia-uvm`, `/dev/dxg` …"""
    exists: bool
    open_error: holds.FreeText | None = None
    """`EACCES`, `EPERM` …; empty when it opens, None when it was not tried."""
    mode: holds.Term | None = None
    """`crw-rw-rw-`"""

    IDENTITY = Identity(key=("path",))


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only Linux has device files")
    for path in OPENED:
        yield _node(path, _open_error)
    for path in NOT_OPENED:
        yield _node(path, lambda _: None)
    for name in sorted(filter(GPU_NAME.match, _roots.entries("/dev")), key=lambda name: int(name[6:])):
        yield _node("/dev/" + name, _refusal)


def _node(path: str, open_error: Callable[[str], str | None]) -> DeviceNode:
    real = _roots.path(path)
    try:
        mode = stat.filemode(os.stat(real).st_mode)
    except OSError:
        return DeviceNode(path, exists=os.path.lexists(real))
    return DeviceNode(path, exists=True, open_error=open_error(real), mode=mode)


def _open_error(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return ""


def _refusal(path: str) -> str | None:
    """Why a GPU's file may not be opened; None, not tried, where it may.

    Opening it makes the driver initialise the GPU, and closing it tear it down again unless something else
    holds it: seconds each without persistence mode. access(2) asks the same permissions and the same device
    cgroup (inode_permission), and what it refuses open(2) refuses before the driver hears of it.
    """
    return None if os.access(path, os.R_OK | os.W_OK) else _open_error(path)


PROBE = Probe(
    collect,
    timeout_s=3.0,
    facts=(DeviceNode,),
)

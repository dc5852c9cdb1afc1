"""What this process may use: its resource limits, its share of the processors, and its control group's memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped, _roots

RESOURCES = (
    ("address space", "RLIMIT_AS"),
    ("data", "RLIMIT_DATA"),
    ("locked memory", "RLIMIT_MEMLOCK"),
    ("open files", "RLIMIT_NOFILE"),
    ("processes", "RLIMIT_NPROC"),
)
GROUPS = "/sys/fs/cgroup"
UNLIMITED = 1 << 60
"""Version 1 of control groups writes "no limit" as the largest multiple of a page."""


@dataclass(frozen=True)
class ProcessLimit:
    """One limit; a resource without one has no fact."""

    resource: holds.Term
    """`address space`, `data`, `locked memory` (bytes), `open files`, `processes` (counts), `memory` (bytes, of the
    control group)."""
    soft: int
    """What counts now."""
    hard: int | None = None
    """What this process may raise it to; None where there is no end."""
    used: int | None = None
    """Of the memory: what cannot be given back."""
    found_in: holds.FreeText = "getrlimit"

    IDENTITY = Identity(key=("resource",), aside=("used",), none=("hard",))


@dataclass(frozen=True)
class CpuShare:
    """The processors that this process may use."""

    allowed: int
    """By its affinity mask."""
    online: int | None = None
    quota: float | None = None
    """Processors' worth of time that its control group gets; None where there is no quota."""
    found_in: holds.FreeText = "sched_getaffinity"

    IDENTITY = Identity(none=("quota",))


def collect() -> Iterator[object]:
    if not sys.platform.startswith("linux"):
        raise Skipped("only Linux has these limits")
    import resource

    for name, constant in RESOURCES:
        soft, hard = resource.getrlimit(getattr(resource, constant))
        if soft != resource.RLIM_INFINITY:
            yield ProcessLimit(name, soft, None if hard == resource.RLIM_INFINITY else hard)
    yield from _memory()
    quota, where = _quota()
    yield CpuShare(len(os.sched_getaffinity(0)), _online(), quota, where or "sched_getaffinity")


def _groups(controller: str) -> list[str]:
    """The folders of our control group and those above it, ours first; a container sees its own as the root."""
    for line in (_roots.read("/proc/self/cgroup") or "").splitlines():
        _, names, path = (*line.split(":", 2), "", "")[:3]
        if names == "" or controller in names.split(","):
            root = GROUPS if names == "" else f"{GROUPS}/{controller}"
            parts = [part for part in path.split("/") if part not in {"", ".."}]
            return ["/".join([root, *parts[:depth]]) for depth in range(len(parts), -1, -1)]
    return []


def _memory() -> Iterator[ProcessLimit]:
    """The least limit on the way up; version 2 of control groups, then 1."""
    found = []
    for folder in _groups("memory"):
        for limit_file, used_file, cache, shared in (
            ("memory.max", "memory.current", "file", "shmem"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"),
        ):
            limit = _number(_roots.read(f"{folder}/{limit_file}"))
            if limit is not None and limit < UNLIMITED:
                used = _used(folder, used_file, cache, shared)
                found.append(ProcessLimit("memory", limit, limit, used, f"{folder}/{limit_file}"))
    if found:
        yield min(found, key=lambda limit: limit.soft)


def _used(folder: str, used_file: str, cache: str, shared: str) -> int | None:
    """Without what the kernel gives back when it is needed: files in its page cache, but for shared memory."""
    used = _number(_roots.read(f"{folder}/{used_file}"))
    rows = (line.split() for line in (_roots.read(f"{folder}/memory.stat") or "").splitlines())
    stat = {row[0]: _number(row[1]) or 0 for row in rows if len(row) == 2}
    if used is None or cache not in stat:
        return None
    return max(used - max(stat[cache] - stat.get(shared, 0), 0), 0)


def _quota() -> tuple[float | None, str]:
    """The least quota on the way up, in processors, and the file that says so."""
    found = []
    for folder in _groups("cpu"):
        new = (_roots.read(f"{folder}/cpu.max") or "").split()
        old = [_roots.read(f"{folder}/cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
        for words, name in ((new, "cpu.max"), (old, "cpu.cfs_quota_us")):
            quota, period = (_number(words[0]), _number(words[1])) if len(words) == 2 else (None, None)
            if quota is not None and period:
                found.append((round(quota / period, 2), f"{folder}/{name}"))
    return min(found, default=(None, ""))


def _number(text: str | None) -> int | None:
    """None for `max`, -1 and whatever else is no number."""
    digits = (text or "").strip()
    return int(digits) if digits.isdecimal() and len(digits) < 20 else None


def _online() -> int | None:
    """`0-15,32` → 17"""
    text = (_roots.read("/sys/devices/system/cpu/online") or "").strip()
    count = 0
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return None
        count += int(last or first) - int(first) + 1
    return count or None


PROBE = Probe(
    collect,
    timeout_s=2.0,
    facts=(ProcessLimit, CpuShare),
)

"""Reads `lsmod`, whole or filtered by grep, and /proc/driver/nvidia/version: NVIDIA's kernel module."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.kernel_module import KernelModule
from cudacheck.sources._source import Source

_HEADER = re.compile(r"\s*Module\s+Size\s+Used by\s*$")
_ROW = re.compile(r"\s*([a-z]\w{0,60})\s+\d{2,12}\s+\d{1,6}(?:\s+[\w,]{1,400})?\s*$")
"""tools/lsmod.c of kmod: a heading, then name, size, use count and holders of each module."""
_ABSENT = re.compile(r"cat: '?/proc/driver/nvidia/version'?: (?!Permission)\S")
"""In whatever language the reason is told."""
_LOADED = re.compile(r"NVRM version: NVIDIA UNIX (Open )?\S{0,10} ?Kernel Module.{0,40}?\s(\d{3}\.[\d.]{1,12})\s")


def facts(lines: Sequence[str]) -> Iterator[KernelModule]:
    """Only a list under its heading is whole: what is not in it is not loaded.

    >>> [module] = facts(["nvidia 56807424 1 nvidia_modeset"])
    >>> module.loaded, module.uvm_loaded
    (True, None)
    """
    rows = {match.group(1) for line in lines if (match := _ROW.match(line))}
    whole = any(map(_HEADER.match, lines))
    if rows & {"nvidia", "nvidia_uvm", "nouveau"} or (whole and rows):

        def listed(name: str) -> bool | None:
            return True if name in rows else False if whole else None

        yield KernelModule(
            loaded=listed("nvidia"),
            uvm_loaded=listed("nvidia_uvm"),
            nouveau_loaded=listed("nouveau"),
            found_in="lsmod",
        )
    if any(map(_ABSENT.match, lines)):
        yield KernelModule(False, found_in="/proc/driver/nvidia/version")
    for line in lines:
        if match := _LOADED.match(line):
            flavour = "open" if match.group(1) else "proprietary"
            yield KernelModule(True, version=match.group(2), flavour=flavour, found_in="/proc/driver/nvidia/version")


SOURCE = Source(facts=facts, trust=15)

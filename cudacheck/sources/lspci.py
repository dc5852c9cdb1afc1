"""Reads `lspci`, `lspci -nn` and `lspci -nnk`: NVIDIA's GPUs on the bus, and the kernel driver of each.

Whole is only the answer to the very command that cudacheck asks for, between its prompt and the next.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.pci import PROBE, PciBus, PciGpu
from cudacheck.sources import _prompts
from cudacheck.sources._source import Source
from cudacheck.sources._whole import Whole

_DEVICE = re.compile(r"\s*((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) [A-Z3]")
_GPU = re.compile(
    r"(?:VGA compatible|3D|Display) controller(?: \[03\d\d\])?: NVIDIA (?:.{1,120}\[10de:([0-9a-f]{4})\]|"
    r"Corporation Device ([0-9a-f]{4})\b|.{1,120})"
)
"""Without -n no number of the device is shown, but of one that has no name in lspci's list."""
_DRIVER = re.compile(r"\s*Kernel driver in use: (\S{1,40})")
"""show_terse in lspci.c and show_kernel in ls-kernel.c of pciutils: a domain only where one is not 0."""
_ROW = re.compile(r"\s|$|(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] ")
_MODULES = re.compile(r"\s*Kernel modules: ")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """The number is empty where it is not shown; without `-k` nobody knows the driver.

    >>> [gpu] = facts(["01:00.0 3D controller [0302]: NVIDIA Corporation GA102GL [A10] [10de:2236] (rev a1)",
    ...                "Kernel modules: nvidiafb, nouveau"])
    >>> gpu.address, gpu.device_id, gpu.driver
    ('0000:01:00.0', '0x2236', '')
    """
    gpu: PciGpu | None = None
    for line in lines:
        if match := _DEVICE.match(line):
            if gpu:
                yield gpu
            address = match.group(1) if match.group(1).count(":") == 2 else f"0000:{match.group(1)}"
            found = _GPU.match(line, match.end() - 1)
            number = (found.group(1) or found.group(2)) if found else None
            gpu = PciGpu(address, f"0x{number}" if number else "", found_in="lspci") if found else None
        elif gpu and (driver := _DRIVER.match(line)):
            gpu = dataclasses.replace(gpu, driver=driver.group(1))
        elif gpu and gpu.driver is None and _MODULES.match(line):
            gpu = dataclasses.replace(gpu, driver="")  # -k names the modules that could drive it, and none does
    if gpu:
        yield gpu
    for answer in _prompts.answers(lines, PROBE):
        if all(map(_ROW.match, answer)):
            yield Whole(PciGpu)
        if not any(line.strip() for line in answer):
            yield PciBus(readable=True, found_in="lspci")


SOURCE = Source(facts=facts, trust=20)

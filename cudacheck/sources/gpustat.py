"""Reads gpustat: a line for the host with the driver's version, and a line for each GPU."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.sources import _values
from cudacheck.sources._source import Source

_HOST = re.compile(
    r"\S{1,80}\s+.{10,60}:\d\d(?: \d{4})?(?: [AP]M)?(?: [A-Z]{3,5})?\s+(\d{3}\.\d{1,3}(?:\.\d{1,3})?)\s*$"
)
_GPU = re.compile(
    r"\s*\[(\d{1,3})\]\s+(\S.{0,80}?)\s*\|\s*(\d{1,3})\s?[°']C,(?:\s*(?:\d{1,3}|\?\?) %,(?=\s*[\d?]{1,3} %))?"
    r"\s*(\d{1,3}|\?\?) %.{0,60}?\|\s*(\d+) / (\d+) MB"
)
"""core.py of wookayin/gpustat: the date in the user's locale; with `--show-fan` the fan stands before the load."""


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Memory, temperature and load of each GPU; who uses it is left out, for it names users and not programs.

    >>> [gpu] = facts(["[0] NVIDIA L4 | 31'C,  98 % |   300 / 23034 MB | ada(290M)"])
    >>> gpu.name, gpu.utilization_percent, gpu.memory_used_bytes
    ('NVIDIA L4', 98, 314572800)
    >>> [gpu] = facts(["[1] NVIDIA L4 | 31°C,  40 %,  98 % (E:   0 %  D:   0 %),   60 /  72 W |   300 / 23034 MB |"])
    >>> gpu.utilization_percent
    98
    """
    host = None
    for line in lines:
        if match := _GPU.match(line):
            index, name, temperature, load, used, total = match.groups()
            if host:
                yield Nvml(True, init_code=0, driver_version=host, found_in="gpustat")
                host = None
            yield Gpu(
                int(index),
                name,
                temperature_c=int(temperature),
                utilization_percent=_values.integer(load),
                memory_used_bytes=_values.mib(used),
                memory_total_bytes=_values.mib(total),
                found_in="gpustat",
            )
        else:
            found = _HOST.match(line[:240])
            host = found.group(1) if found else None


SOURCE = Source(facts=facts, trust=90)

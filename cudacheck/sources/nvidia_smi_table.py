"""Reads the table that nvidia-smi prints when it is called without options, of every layout since driver 331."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu, GpuProcess
from cudacheck.sources import _values
from cudacheck.sources._whole import Whole

NO_PROCESSES = "No running processes found"

FOUND_IN = "nvidia-smi"
_FIRST_CELL = re.compile(r"\s*(\d{1,3})\s+(\S.{0,80}?)\s+(On|Off|N/A|ERR!|WDDM|TCC|MCDM)\s*$")
_TEMPERATURE = re.compile(r"\b(\d{1,3})C\b")
_POWER = re.compile(r"(\S{1,12})\s*/\s*(\S{1,12})\s*$")
_MEMORY = re.compile(r"(\d{1,9})MiB\s*/\s*(\d{1,9})MiB")
_LOAD = re.compile(r"\s*(\S{1,8})\s+(\S.{0,20}?)\s*$")
_PROCESS = re.compile(
    r"\|\s+(\d{1,3})\s+(?:(?:N/A|\d{1,3})\s+(?:N/A|\d{1,3})\s+)?(\d{1,9})\s+[CGM+]{1,5}\s+"
    r"(\S.{0,200}?)\s+(\d{1,9}MiB|N/A)\s*\|"
)
_MIG_DEVICE = re.compile(r"\|\s+(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+\d{1,3}\s+\|\s+\d{1,9}MiB\s*/")


def facts(lines: Sequence[str]) -> Iterator[object]:
    r"""Each GPU of the table, and the processes below it.

    >>> table = '''|   0  NVIDIA B200         On  |   00000000:63:00.0 Off |                    0 |
    ... | N/A   26C    P0     139W / 1000W |    12MiB / 183359MiB |      7%      Default |
    ... |                                  |                      |             Disabled |'''
    >>> gpu, whole = facts(table.splitlines())
    >>> gpu.name, gpu.power_draw_w, gpu.utilization_percent, gpu.mig_enabled
    ('NVIDIA B200', 139.0, 7, False)
    """
    rows = [line for line in lines if line.lstrip().startswith("|")]
    instances = _mig_devices(rows)
    gpus = [_gpu(rows[at : at + 3], instances) for at, row in enumerate(rows) if _starts_gpu(row)]
    yield from gpus
    if gpus:
        yield Whole(Gpu)
    for row in rows:
        if match := _PROCESS.match(row.lstrip()):
            index, pid, name, memory = match.groups()
            yield GpuProcess(int(index), int(pid), _values.mib(memory), name)


def _cells(row: str) -> list[str]:
    return row.strip().strip("|").split("|")


def _starts_gpu(row: str) -> bool:
    cells = _cells(row)
    return len(cells) == 3 and _FIRST_CELL.match(cells[0]) is not None and _values.pci_address(cells[1]) is not None


def _gpu(rows: Sequence[str], instances: dict[int, tuple[str, ...]]) -> Gpu:
    first, second, third = ((*_cells(row), "", "", "")[:3] for row in (*rows, "", "")[:3])
    index, name, switch = match.groups() if (match := _FIRST_CELL.match(first[0])) else ("0", "", "")
    temperature, memory = _TEMPERATURE.search(second[0]), _MEMORY.search(second[1])
    power, load = _POWER.search(second[0]), _LOAD.match(second[2])
    draw, limit = (_values.number(text) for text in power.groups()) if power else (None, None)
    ecc = first[2].strip()
    # drivers before 450 print no third line: what follows is the next GPU, or the border
    mig = third[2] if not third[0].strip() else ""
    return Gpu(
        int(index),
        name=_values.words(name),
        pci_address=_values.pci_address(first[1]),
        memory_used_bytes=_values.mib(memory.group(1)) if memory else None,
        memory_total_bytes=_values.mib(memory.group(2)) if memory else None,
        power_draw_w=draw,
        power_limit_w=limit,
        temperature_c=int(temperature.group(1)) if temperature else None,
        utilization_percent=_values.integer(load.group(1)) if load else None,
        compute_mode=_values.compute_mode(load.group(2)) if load else None,
        ecc_enabled=False if ecc == "Off" else True if ecc.isdecimal() else None,
        ecc_uncorrected=_values.integer(ecc),
        mig_enabled=_values.switch(mig),
        mig_instances=instances.get(int(index)) if _values.switch(mig) else None,
        persistence_mode=_values.switch(switch),
        driver_model=_values.driver_model(switch),
        found_in=FOUND_IN,
    )


def _mig_devices(rows: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """The table below shows no UUIDs, so a MIG device goes by its GPU, GPU instance and compute instance."""
    found: dict[int, tuple[str, ...]] = {}
    for row in rows:
        if match := _MIG_DEVICE.match(row.lstrip()):
            index = int(match.group(1))
            found[index] = (*found.get(index, ()), "/".join(match.groups()))
    return found

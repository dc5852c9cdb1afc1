"""Reads the tables of `nvidia-smi --query-gpu=… --format=csv`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cudacheck.probes.host.nvml import CLOCK_EVENT_REASONS, Gpu, Nvml
from cudacheck.sources import _values

FOUND_IN = "nvidia-smi --query-gpu"

COLUMNS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "index": ("index", _values.integer),
    "name": ("name", _values.words),
    "gpu_name": ("name", _values.words),
    "uuid": ("uuid", _values.words),
    "gpu_uuid": ("uuid", _values.words),
    "pci.bus_id": ("pci_address", _values.pci_address),
    "gpu_bus_id": ("pci_address", _values.pci_address),
    "compute_cap": ("compute_capability", _values.version),
    "memory.total": ("memory_total_bytes", _values.mib),
    "memory.used": ("memory_used_bytes", _values.mib),
    "pcie.link.gen.current": ("pcie_generation", _values.integer),
    "pcie.link.gen.gpucurrent": ("pcie_generation", _values.integer),
    "pcie.link.gen.max": ("pcie_generation_max", _values.integer),
    "pcie.link.width.current": ("pcie_width", _values.integer),
    "pcie.link.width.max": ("pcie_width_max", _values.integer),
    "power.draw": ("power_draw_w", _values.number),
    "power.draw.average": ("power_draw_w", _values.number),
    "power.draw.instant": ("power_draw_w", _values.number),
    "power.limit": ("power_limit_w", _values.number),
    "enforced.power.limit": ("power_limit_w", _values.number),
    "power.default_limit": ("power_default_w", _values.number),
    "clocks.sm": ("sm_clock_mhz", _values.integer),
    "clocks.current.sm": ("sm_clock_mhz", _values.integer),
    "clocks.max.sm": ("sm_clock_max_mhz", _values.integer),
    "clocks.mem": ("memory_clock_mhz", _values.integer),
    "clocks.current.memory": ("memory_clock_mhz", _values.integer),
    "clocks.max.mem": ("memory_clock_max_mhz", _values.integer),
    "clocks.max.memory": ("memory_clock_max_mhz", _values.integer),
    "temperature.gpu": ("temperature_c", _values.integer),
    "utilization.gpu": ("utilization_percent", _values.integer),
    "ecc.mode.current": ("ecc_enabled", _values.switch),
    "ecc.errors.uncorrected.volatile.total": ("ecc_uncorrected", _values.integer),
    "mig.mode.current": ("mig_enabled", _values.switch),
    "compute_mode": ("compute_mode", _values.compute_mode),
    "persistence_mode": ("persistence_mode", _values.switch),
    "fabric.state": ("fabric_state", _values.fabric_state),
    "driver_model.current": ("driver_model", _values.driver_model),
}
_OTHERS = {"driver_version", "count", "timestamp", "pstate"}
_REASON = re.compile(r"clocks_(?:event|throttle)_reasons\.(\w+)$")
_COLUMN = re.compile(r"[a-z][a-z_0-9.]{0,60}(?: \[[^\]]{1,8}\])?$")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Each row is a GPU, numbered by its `index` or else by its place.

    >>> for gpu in facts(["name, memory.used [MiB], mig.mode.current", "NVIDIA A100, 12 MiB, Enabled"]):
    ...     print(gpu.index, gpu.name, gpu.memory_used_bytes, gpu.mig_enabled)
    0 NVIDIA A100 12582912 True
    """
    columns: list[str] | None = None
    row = 0
    for line in lines:
        cells = [cell.strip() for cell in line.split(",", 64)]
        if _is_header(cells):
            columns, row = [cell.partition(" [")[0] for cell in cells], 0
        elif columns and len(cells) == len(columns) and line.strip():
            yield from _row(dict(zip(columns, cells, strict=True)), row)
            row += 1
        elif line.strip():
            columns = None


def _is_header(cells: list[str]) -> bool:
    if not all(map(_COLUMN.match, cells)):
        return False
    names = [cell.partition(" [")[0] for cell in cells]
    known = [name for name in names if name in COLUMNS or name in _OTHERS or _REASON.match(name)]
    # a lone `name` or `index` is a word like any other
    return len(known) == len(names) > 1 or any("." in name or "_" in name for name in known)


def _row(told: dict[str, str], row: int) -> Iterator[object]:
    if version := _values.version(told.get("driver_version", "")):
        count = _values.integer(told.get("count", ""))
        yield Nvml(True, init_code=0, driver_version=version, gpu_count=count, found_in=FOUND_IN)
    fields = {COLUMNS[name][0]: COLUMNS[name][1](text) for name, text in told.items() if name in COLUMNS}
    fields["clock_event_reasons"] = _reasons(told)
    index = fields.pop("index", None)
    if any(value is not None for value in fields.values()):
        yield Gpu(row if index is None else index, **fields, found_in=FOUND_IN)


def _reasons(told: dict[str, str]) -> tuple[str, ...] | None:
    """Of the bit mask; else of the columns that were asked for, where none active would prove nothing."""
    named = {match.group(1): text for name, text in told.items() if (match := _REASON.match(name))}
    mask = named.pop("active", "")
    if re.fullmatch(r"0x[0-9A-Fa-f]{1,16}", mask):
        bits = int(mask, 16)
        return tuple(name for bit, name in enumerate(CLOCK_EVENT_REASONS) if bits >> bit & 1)
    return tuple(name for name in CLOCK_EVENT_REASONS if named.get(name) == "Active") or None

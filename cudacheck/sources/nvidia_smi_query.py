"""Reads `nvidia-smi -q`: a tree of `Name : Value` lines, with or without the indentation that pasting loses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cudacheck.probes.host.nvml import Gpu, GpuProcess, Nvml
from cudacheck.sources import _values
from cudacheck.sources._whole import Whole

FOUND_IN = "nvidia-smi -q"
PART = "a part of nvidia-smi -q"
"""Whose GPU it is, is cut off."""

FIELDS: dict[tuple[str, str], tuple[str, Callable[[str], Any]]] = {
    ("", "Product Name"): ("name", _values.words),
    ("", "GPU UUID"): ("uuid", _values.words),
    ("", "Bus Id"): ("pci_address", _values.pci_address),
    ("", "Persistence Mode"): ("persistence_mode", _values.switch),
    ("", "Compute Mode"): ("compute_mode", _values.compute_mode),
    ("", "Virtualization Mode"): ("virtualization", _values.virtualization),
    ("", "GPU Current Temp"): ("temperature_c", _values.integer),
    ("", "GPU Slowdown Temp"): ("temperature_slowdown_c", _values.integer),
    ("", "GPU Max Operating Temp"): ("temperature_max_operating_c", _values.integer),
    ("", "Default Power Limit"): ("power_default_w", _values.number),
    ("MIG Mode", "Current"): ("mig_enabled", _values.switch),
    ("Driver Model", "Current"): ("driver_model", _values.driver_model),
    ("ECC Mode", "Current"): ("ecc_enabled", _values.switch),
    ("PCIe Generation", "Current"): ("pcie_generation", _values.integer),
    ("PCIe Generation", "Max"): ("pcie_generation_max", _values.integer),
    ("Link Width", "Current"): ("pcie_width", _values.integer),
    ("Link Width", "Max"): ("pcie_width_max", _values.integer),
    ("FB Memory Usage", "Total"): ("memory_total_bytes", _values.mib),
    ("FB Memory Usage", "Used"): ("memory_used_bytes", _values.mib),
    ("Utilization", "Gpu"): ("utilization_percent", _values.integer),
    ("Utilization", "GPU"): ("utilization_percent", _values.integer),
    ("Remapped Rows", "Pending"): ("rows_remap_pending", _values.switch),
    ("Remapped Rows", "Remapping Failure Occurred"): ("rows_remap_failed", _values.switch),
    ("Clocks", "SM"): ("sm_clock_mhz", _values.integer),
    ("Clocks", "Memory"): ("memory_clock_mhz", _values.integer),
    ("Max Clocks", "SM"): ("sm_clock_max_mhz", _values.integer),
    ("Max Clocks", "Memory"): ("memory_clock_max_mhz", _values.integer),
    ("Fabric", "State"): ("fabric_state", _values.fabric_state),
    **{
        (section, label): (field, _values.number)
        for section in ("Power Readings", "GPU Power Readings")
        for label, field in (
            ("Power Draw", "power_draw_w"),
            ("Average Power Draw", "power_draw_w"),
            ("Instantaneous Power Draw", "power_draw_w"),
            ("Power Limit", "power_limit_w"),
            ("Current Power Limit", "power_limit_w"),
        )
    },
}
"""(section, label) → field of Gpu; an empty section for labels that occur once a GPU."""

MAX_GPUS = 256
MAX_SECTION = 2000
"""Lines of one GPU; every process has five of them."""
_REASON_SECTIONS = ("Clocks Event Reasons", "Clocks Throttle Reasons")
_REASONS = {
    "Idle": "gpu_idle",
    "Applications Clocks Setting": "applications_clocks_setting",
    "SW Power Cap": "sw_power_cap",
    "HW Slowdown": "hw_slowdown",
    "Sync Boost": "sync_boost",
    "SW Thermal Slowdown": "sw_thermal_slowdown",
    "HW Thermal Slowdown": "hw_thermal_slowdown",
    "HW Power Brake Slowdown": "hw_power_brake_slowdown",
    "Display Clock Setting": "display_clock_setting",
}
_GPU = re.compile(r"\s*GPU ([0-9A-Fa-f]{8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\s*$")
_VALUE = re.compile(r"\s*([A-Za-z][A-Za-z0-9 ./()_-]{0,60}?)\s*: (.{0,200})")
_SECTION = re.compile(r"\s*([A-Z][A-Za-z0-9 ./()-]{1,60})$")

Told = dict[tuple[str, str], str]


def facts(lines: Sequence[str]) -> Iterator[object]:
    """The driver, and each GPU in the order in which they are listed.

    >>> nvml, gpu, whole = facts('''Driver Version   : 570.86.15
    ... CUDA Version     : 12.8
    ... Attached GPUs    : 1
    ... GPU 00000000:1B:00.0
    ...     Product Name : NVIDIA L4
    ...     Clocks Event Reasons
    ...         SW Power Cap : Active
    ...         HW Slowdown  : Not Active'''.splitlines())
    >>> nvml.driver_version, nvml.gpu_count, gpu.pci_address, gpu.clock_event_reasons
    ('570.86.15', 1, '0000:1b:00.0', ('sw_power_cap',))
    """
    starts = [number for number, line in enumerate(lines) if _GPU.match(line)]
    if not starts:
        yield from _fragment(lines)
        return
    head = _told(lines[max(0, starts[0] - 40) : starts[0]])
    count = _values.integer(head.get(("", "Attached GPUs"), ""))
    yield Nvml(
        True,
        init_code=0,
        driver_version=_version(head, "Driver Version", "KMD Version"),
        cuda_version=_version(head, "CUDA Version", "CUDA UMD Version"),
        gpu_count=count,
        found_in=FOUND_IN,
    )
    starts = starts[:MAX_GPUS]
    ends = (min(end, start + MAX_SECTION) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True))
    sections = [_told(lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    for index, (start, told) in enumerate(zip(starts, sections, strict=True)):
        yield _gpu(index, lines[start], told)
    if count == len(starts):
        yield Whole(Gpu)
    if all(told.get(("", "Processes")) == "None" for told in sections):
        yield Whole(GpuProcess)


def _fragment(lines: Sequence[str]) -> Iterator[Gpu]:
    """Reasons or temperatures alone, the GPU's own heading cut off: they are of the only GPU, if there is but one."""
    warm = _told([line for line in lines if " Temp" in line and _VALUE.match(line)][:12])
    heat = {field: convert(warm[key]) for key, (field, convert) in FIELDS.items() if key in warm}
    if any(heat.values()):
        yield Gpu(0, **heat, found_in=PART)
    sections = (number for number, line in enumerate(lines) if line.strip() in _REASON_SECTIONS)
    start = next(sections, None)
    if start is not None and (reasons := _reasons(_told(lines[start : start + 12]))):
        yield Gpu(0, clock_event_reasons=reasons, found_in=PART)


def _told(lines: Sequence[str]) -> Told:
    """Every value under the last section's name and its own, and under its own name alone; the first one counts."""
    told: Told = {}
    section = ""
    for line in lines:
        if match := _VALUE.match(line):
            label, value = match.group(1), match.group(2).strip()
            told.setdefault((section, label), value)
            told.setdefault(("", label), value)
        elif match := _SECTION.match(line):
            section = match.group(1)
    return told


def _version(told: Told, *labels: str) -> str | None:
    """Of the first label that gives one: newer drivers leave a sentence under the old name."""
    return next((v for label in labels if (v := _values.version(told.get(("", label), "")))), None)


def _gpu(index: int, heading: str, told: Told) -> Gpu:
    fields: dict[str, Any] = {"pci_address": _values.pci_address(heading)}
    for key, (field, convert) in FIELDS.items():
        if key in told and fields.get(field) is None:
            fields[field] = convert(told[key])
    return Gpu(
        index,
        **fields,
        clock_event_reasons=_reasons(told),
        ecc_uncorrected=_uncorrected(told),
        found_in=FOUND_IN,
    )


def _reasons(told: Told) -> tuple[str, ...] | None:
    asked = {label: text for (section, label), text in told.items() if section in _REASON_SECTIONS}
    if not any(asked.get(label) in {"Active", "Not Active"} for label in _REASONS):
        return None
    return tuple(name for label, name in _REASONS.items() if asked.get(label) == "Active")


def _uncorrected(told: Told) -> int | None:
    counts = [
        _values.integer(text)
        for (section, label), text in told.items()
        if section == "Volatile" and "Uncorrectable" in label
    ]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None

"""NVML, the driver's own management library: driver version, and everything it tells about each GPU."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import ByHand, Probe, Skipped, _roots
from cudacheck.probes.host._mapped import mapped_file

# Numbers of nvml.h, written out because an old `pynvml` may lack the names.
LIBRARY_NOT_FOUND = 12
GONE = (15, 16)
"""NVML_ERROR_GPU_IS_LOST, NVML_ERROR_RESET_REQUIRED"""
NONE_THERE = (2, 6)
"""NVML_ERROR_INVALID_ARGUMENT, NVML_ERROR_NOT_FOUND: no MIG device with this number"""
SM_CLOCK, MEMORY_CLOCK = 1, 2
UNCORRECTED, SINCE_DRIVER_LOAD = 1, 0
GPU_SENSOR = 0
END_OF_TIME = 1 << 36
"""In seconds: beyond it a year has more than four digits."""
MEMORY_INFO_V2 = 0x02000028
COMPUTE_MODES = ("default", "exclusive-thread", "prohibited", "exclusive-process")
FABRIC_STATES = ("not-supported", "not-started", "in-progress", "completed")
DRIVER_MODELS = ("WDDM", "TCC", "MCDM")
VIRTUALIZATION_MODES = ("none", "passthrough", "vgpu", "host-vgpu", "host-vsga")
CLOCK_EVENT_REASONS = (
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
)
"""One a bit, the lowest first."""

Ask = Callable[..., Any]
"""`ask("nvmlDeviceGetName", handle)`: NVML's answer, None where it refuses or does not have the function."""


@dataclass(frozen=True)
class Nvml:
    library_found: bool | None
    """Whether libnvidia-ml.so.1 could be loaded at all."""
    library: holds.Path | None = None
    """The file that was mapped."""
    init_code: int | None = None
    """nvmlInit's return value: 0 is success, 9 driver not loaded, 18 driver/library version mismatch …"""
    init_error: holds.FreeText | None = None
    driver_version: holds.Term | None = None
    cuda_version: holds.Term | None = None
    """The newest CUDA this driver serves, `12.8`; PyTorch may need less (see minor-version compatibility)."""
    nvml_version: holds.Term | None = None
    gpu_count: int | None = None
    found_in: holds.FreeText = "NVML"

    IDENTITY = Identity(why=(("init_code", "init_error"),))


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML numbers them; None is what this driver, board or paste does not tell."""

    index: int
    name: holds.Term | None = None
    uuid: holds.Uuid | None = None
    compute_capability: holds.Term | None = None
    """`8.9`"""
    pci_address: holds.Term | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    pcie_generation: int | None = None
    pcie_generation_max: int | None = None
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    power_draw_w: float | None = None
    power_limit_w: float | None = None
    power_default_w: float | None = None
    sm_clock_mhz: int | None = None
    sm_clock_max_mhz: int | None = None
    memory_clock_mhz: int | None = None
    memory_clock_max_mhz: int | None = None
    memory_bus_bits: int | None = None
    temperature_c: int | None = None
    temperature_slowdown_c: int | None = None
    """From this on the hardware slows down; of a paste of `nvidia-smi -q`."""
    temperature_max_operating_c: int | None = None
    """From this on the driver slows it down."""
    utilization_percent: int | None = None
    clock_event_reasons: tuple[holds.Term, ...] | None = None
    """Of NVML's names: gpu_idle, applications_clocks_setting, sw_power_cap, hw_slowdown, sync_boost,
    sw_thermal_slowdown, hw_thermal_slowdown, hw_power_brake_slowdown, display_clock_setting."""
    ecc_enabled: bool | None = None
    ecc_uncorrected: int | None = None
    """Uncorrected memory errors since the driver was loaded."""
    rows_remap_pending: bool | None = None
    rows_remap_failed: bool | None = None
    mig_enabled: bool | None = None
    mig_instances: tuple[holds.Uuid, ...] | None = None
    """UUIDs of its MIG devices."""
    compute_mode: holds.Term | None = None
    """`default`, `exclusive-process`, `prohibited`, `exclusive-thread`."""
    persistence_mode: bool | None = None
    fabric_state: holds.Term | None = None
    """`not-supported`, `not-started`, `in-progress`, `completed`: the NVSwitch fabric."""
    driver_model: holds.Term | None = None
    """Windows only: `WDDM`, `TCC`, `MCDM`."""
    virtualization: holds.Term | None = None
    """`none`, `passthrough`, `vgpu` …"""
    error: holds.FreeText | None = None
    """NVML's words when the GPU's handle could not be had (`GPU is lost`); then all else is None."""
    error_code: int | None = None
    found_in: holds.FreeText = "NVML"

    IDENTITY = Identity(
        gpu=("index", "uuid"),
        aside=(
            "pci_address",
            "memory_used_bytes",
            "pcie_generation",  # it is lower while the GPU is idle
            "power_draw_w",
            "sm_clock_mhz",
            "memory_clock_mhz",
            "temperature_c",
            "utilization_percent",
            "clock_event_reasons",
            "mig_instances",
            "error_code",
        ),
        none=("error",),
    )


@dataclass(frozen=True)
class GpuProcess:
    gpu_index: int
    pid: int
    memory_bytes: int | None = None
    name: holds.CommandLine | None = None
    visible: bool | None = None
    """Whether the process exists in our pid namespace."""
    user: holds.User | None = None
    """Its owner's name; the number where there is none."""
    started: holds.Term | None = None
    """ISO 8601, UTC."""
    state: holds.Term | None = None
    """As ps(1) has it: `Z` is dead, and its parent has not taken notice, `D` waits in the kernel."""
    parent: int | None = None

    IDENTITY = Identity(
        key=("name",),
        gpu=("gpu_index",),
        aside=("pid", "memory_bytes", "user", "started", "visible", "state", "parent"),
    )

    @property
    def program(self) -> str:
        """`/usr/bin/python3 train.py` → `python3`"""
        return (self.name or "").split(" ")[0].rpartition("/")[2] or "something"


def collect() -> Iterator[object]:
    try:
        import pynvml
    except ImportError as error:
        raise Skipped(f"nvidia-ml-py cannot be imported: {error}") from error
    ask = _asker(pynvml)
    code, words = 0, ""
    # Never shut down: while NVML is open, the GPUs stay initialised for the probes that follow.
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as refusal:
        code, words = refusal.value, _words(ask, refusal)
    count = ask("nvmlDeviceGetCount") if code == 0 else None
    yield Nvml(
        library_found=code != LIBRARY_NOT_FOUND,
        library=mapped_file("libnvidia-ml.so"),
        init_code=code,
        init_error=words or None,
        driver_version=_text(ask("nvmlSystemGetDriverVersion")),
        cuda_version=_cuda_version(ask("nvmlSystemGetCudaDriverVersion_v2")),
        nvml_version=_text(ask("nvmlSystemGetNVMLVersion")),
        gpu_count=count,
    )
    for index in range(count or 0):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            _raise_if_gone(pynvml, handle)
        except pynvml.NVMLError as refusal:
            yield Gpu(index, error=_words(ask, refusal), error_code=refusal.value)
            continue
        yield _gpu(pynvml, ask, index, handle)
        yield from _processes(ask, index, handle)


def _asker(pynvml: Any) -> Ask:
    def ask(name: str, *arguments: Any) -> Any:
        function = getattr(pynvml, name, None)
        try:
            return function(*arguments) if function else None
        except (
            pynvml.NVMLError,
            TypeError,
            UnicodeDecodeError,
        ):  # TypeError: an old pynvml takes fewer arguments
            return None

    return ask


def _words(ask: Ask, refusal: Any) -> str:
    """The library's own words, which are those people search for; the binding's where there is no library."""
    return _text(ask("nvmlErrorString", refusal.value)) or str(refusal)


def _raise_if_gone(pynvml: Any, handle: Any) -> None:
    """A GPU that fell off the bus may still have a handle and a name: only what asks the GPU itself fails."""
    try:
        pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError as refusal:
        if refusal.value in GONE:
            raise


def _gpu(pynvml: Any, ask: Ask, index: int, handle: Any) -> Gpu:
    def of(name: str, *arguments: Any) -> Any:
        return ask("nvmlDeviceGet" + name, handle, *arguments)

    capability = of("CudaComputeCapability")
    # the second version leaves out of `used` what the driver keeps for itself, as nvidia-smi does
    memory = of("MemoryInfo", MEMORY_INFO_V2) or of("MemoryInfo")
    utilization = of("UtilizationRates")
    remapped = of("RemappedRows") or (None,) * 4
    mig_enabled = _flag((of("MigMode") or (None,))[0])
    return Gpu(
        index,
        name=_text(of("Name")),
        uuid=_text(of("UUID")),
        compute_capability="{}.{}".format(*capability) if capability else None,
        pci_address=_pci_address(of("PciInfo")),
        memory_total_bytes=memory.total if memory else None,
        memory_used_bytes=memory.used if memory else None,
        pcie_generation=of("CurrPcieLinkGeneration"),
        pcie_generation_max=of("MaxPcieLinkGeneration"),
        pcie_width=of("CurrPcieLinkWidth"),
        pcie_width_max=of("MaxPcieLinkWidth"),
        power_draw_w=_watts(of("PowerUsage")),
        power_limit_w=_watts(of("EnforcedPowerLimit") or of("PowerManagementLimit")),
        power_default_w=_watts(of("PowerManagementDefaultLimit")),
        sm_clock_mhz=of("ClockInfo", SM_CLOCK),
        sm_clock_max_mhz=of("MaxClockInfo", SM_CLOCK),
        memory_clock_mhz=of("ClockInfo", MEMORY_CLOCK),
        memory_clock_max_mhz=of("MaxClockInfo", MEMORY_CLOCK),
        memory_bus_bits=of("MemoryBusWidth"),
        temperature_c=of("Temperature", GPU_SENSOR),
        utilization_percent=utilization.gpu if utilization else None,
        clock_event_reasons=_reasons(ask, handle),
        ecc_enabled=_flag(of("CurrentEccMode")),
        ecc_uncorrected=of("TotalEccErrors", UNCORRECTED, SINCE_DRIVER_LOAD),
        rows_remap_pending=_flag(remapped[2]),
        rows_remap_failed=_flag(remapped[3]),
        mig_enabled=mig_enabled,
        mig_instances=_mig_instances(pynvml, ask, handle, mig_enabled),
        compute_mode=_name(COMPUTE_MODES, of("ComputeMode")),
        persistence_mode=_flag(of("PersistenceMode")),
        fabric_state=_fabric_state(pynvml, ask, handle),
        driver_model=_name(DRIVER_MODELS, of("CurrentDriverModel")) if sys.platform == "win32" else None,
        virtualization=_name(VIRTUALIZATION_MODES, of("VirtualizationMode")),
    )


def _reasons(ask: Ask, handle: Any) -> tuple[str, ...] | None:
    bits = ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
    if bits is None:  # drivers before 535 know it by its old name
        bits = ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    if bits is None:
        return None
    return tuple(name for bit, name in enumerate(CLOCK_EVENT_REASONS) if bits >> bit & 1)


def _mig_instances(pynvml: Any, ask: Ask, handle: Any, enabled: bool | None) -> tuple[str, ...] | None:
    """None where NVML refuses to show them: then none proves nothing."""
    if not enabled:
        return () if enabled is False else None
    uuids = []
    for index in range(ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except pynvml.NVMLError as refusal:
            if refusal.value in NONE_THERE:
                continue
            return None
        uuids.append(_text(ask("nvmlDeviceGetUUID", instance)) or f"MIG device {index}")
    return tuple(uuids)


def _fabric_state(pynvml: Any, ask: Ask, handle: Any) -> str | None:
    """These two functions fill a struct that the caller brings."""
    for function, struct in (
        ("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfoV_t"),
        ("nvmlDeviceGetGpuFabricInfo", "c_nvmlGpuFabricInfo_t"),
    ):
        if hasattr(pynvml, struct):
            info = getattr(pynvml, struct)()
            # 0 is NVML_SUCCESS
            if ask(function, handle, ctypes.byref(info)) == 0:
                return _name(FABRIC_STATES, info.state)
    return None


def _processes(ask: Ask, index: int, handle: Any) -> Iterator[GpuProcess]:
    seen = set()
    proc_readable = bool(_roots.entries("/proc"))
    for kind in ("Compute", "Graphics"):
        for process in ask(f"nvmlDeviceGet{kind}RunningProcesses", handle) or ():
            if process.pid not in seen:
                seen.add(process.pid)
                state, parent, started = _stat(process.pid)
                yield GpuProcess(
                    gpu_index=index,
                    pid=process.pid,
                    memory_bytes=process.usedGpuMemory,
                    name=_text(ask("nvmlSystemGetProcessName", process.pid)),
                    visible=os.path.isdir(_roots.path(f"/proc/{process.pid}")) if proc_readable else None,
                    user=_owner(process.pid),
                    started=started,
                    state=state,
                    parent=parent,
                )


def _owner(pid: int) -> str | None:
    try:
        uid = os.stat(_roots.path(f"/proc/{pid}")).st_uid
    except OSError:
        return None
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def _stat(pid: int) -> tuple[str | None, int | None, str | None]:
    """State, parent and start, by its stat from the third field on; the second may hold blanks and brackets."""
    fields = (_roots.read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
    if len(fields) < 20 or not fields[1].isdecimal():
        return None, None, None
    return fields[0][:1], int(fields[1][:18]), _start(fields[19])


def _start(ticks: str) -> str | None:
    """The moment so many ticks after the machine booted."""
    booted = re.search(r"^btime (\d{1,12})$", _roots.read("/proc/stat", 1 << 20) or "", re.MULTILINE)
    if not ticks.isdecimal() or booted is None:
        return None
    seconds = int(booted[1]) + int(ticks[:18]) / os.sysconf("SC_CLK_TCK")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds < END_OF_TIME else None


def _pci_address(info: Any) -> str | None:
    """As the kernel writes it, `0000:01:00.0`; NVML's own has a domain of eight digits."""
    domain, _, rest = ((_text(info.busId) if info else None) or "").partition(":")
    return f"{int(domain, 16):04x}:{rest.lower()}" if rest else None


def _cuda_version(number: int | None) -> str | None:
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _text(value: Any) -> str | None:
    """An old pynvml gives bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _name(names: tuple[str, ...], number: int | None) -> str | None:
    return names[number] if number is not None and 0 <= number < len(names) else None


PROBE = Probe(
    collect,
    timeout_s=10.0,
    facts=(
        Nvml,
        Gpu,
        GpuProcess,
    ),
    by_hand=ByHand("nvidia-smi", on_windows=True),
)

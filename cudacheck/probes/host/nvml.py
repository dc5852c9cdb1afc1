"""NVML, the driver's own management library: driver version, and everything it tells about each GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Nvml:
    library_found: bool | None
    """Whether libnvidia-ml.so.1 could be loaded at all."""
    library: str | None = None
    """The file that was mapped."""
    init_code: int | None = None
    """nvmlInit's return value: 0 is success, 9 driver not loaded, 18 driver/library version mismatch …"""
    init_error: str | None = None
    driver_version: str | None = None
    cuda_version: str | None = None
    """The newest CUDA this driver serves, `12.8`; not what PyTorch needs (see minor-version compatibility)."""
    nvml_version: str | None = None
    gpu_count: int | None = None
    found_in: str = "NVML"


@dataclass(frozen=True)
class Gpu:
    """One GPU as NVML numbers them; None is what this driver, board or paste does not tell."""

    index: int
    name: str | None = None
    uuid: str | None = None
    compute_capability: str | None = None
    """`8.9`"""
    pci_address: str | None = None
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
    utilization_percent: int | None = None
    clock_event_reasons: Tuple[str, ...] | None = None
    """Of NVML's names: gpu_idle, applications_clocks_setting, sw_power_cap, hw_slowdown, sync_boost,
    sw_thermal_slowdown, hw_thermal_slowdown, hw_power_brake_slowdown, display_clock_setting."""
    ecc_enabled: bool | None = None
    ecc_uncorrected: int | None = None
    """Uncorrected memory errors since the driver was loaded."""
    rows_remap_pending: bool | None = None
    rows_remap_failed: bool | None = None
    mig_enabled: bool | None = None
    mig_instances: Tuple[str, ...] | None = None
    """UUIDs of its MIG devices."""
    compute_mode: str | None = None
    """`default`, `exclusive-process`, `prohibited`, `exclusive-thread`."""
    persistence_mode: bool | None = None
    fabric_state: str | None = None
    """`not-supported`, `not-started`, `in-progress`, `completed`: the NVSwitch fabric."""
    driver_model: str | None = None
    """Windows only: `WDDM`, `TCC`, `MCDM`."""
    virtualization: str | None = None
    """`none`, `passthrough`, `vgpu` …"""
    error: str | None = None
    """NVML's words when the GPU's handle could not be had (`GPU is lost`); then all else is None."""
    error_code: int | None = None
    found_in: str = "NVML"


@dataclass(frozen=True)
class GpuProcess:
    gpu_index: int
    pid: int
    memory_bytes: int | None = None
    name: str | None = None
    visible: bool | None = None
    """Whether the process exists in our pid namespace."""

"""Counters of one GPU from the driver's management library, by ctypes: the inspected interpreter may lack a binding.

The library numbers GPUs in its own order and knows nothing of CUDA_VISIBLE_DEVICES, so a GPU is looked up by UUID.
"""

from __future__ import annotations

import ctypes
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
POLICIES = {"power": 0, "thermal": 1, "board limit": 3, "reliability": 5}
"""What may hold the clock back (nvmlPerfPolicyType_t); each has a counter of the nanoseconds that it did."""
REASONS = (
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
"""One a bit, the lowest first (nvmlClocksEventReasons)."""
SENSOR = 0
SM_CLOCK = 1
"""nvmlTemperatureSensors_t and nvmlClockType_t."""


class Violation(ctypes.Structure):
    _fields_ = (("reference_us", ctypes.c_ulonglong), ("violated_ns", ctypes.c_ulonglong))


class Counters:
    """Every question is answered with None where the library, the GPU or the answer is not to be had."""

    def __init__(self, uuid: str | None) -> None:
        self.handle = ctypes.c_void_p()
        self.library: Any = None
        try:
            library = ctypes.CDLL(LIBRARY)
            if uuid is None or library.nvmlInit_v2() != 0:
                return
            if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self.handle)) == 0:
                self.library = library
        except (OSError, AttributeError):
            pass

    @property
    def found(self) -> bool:
        return self.library is not None

    def limited_ns(self) -> dict[str, int] | None:
        """For how long each policy has held the clock back since the driver was loaded."""
        told = {}
        for name, policy in POLICIES.items():
            violation = Violation()
            if self._ask("nvmlDeviceGetViolationStatus", ctypes.c_int(policy), ctypes.byref(violation)):
                told[name] = violation.violated_ns
        return told or None

    def reasons(self) -> tuple[str, ...] | None:
        """What holds the clock back now."""
        bits = self._number("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.c_ulonglong())
        return None if bits is None else tuple(name for bit, name in enumerate(REASONS) if bits >> bit & 1)

    def energy_mj(self) -> int | None:
        return self._number("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())

    def temperature_c(self) -> int | None:
        return self._number("nvmlDeviceGetTemperature", ctypes.c_uint(), ctypes.c_int(SENSOR))

    def sm_clock_mhz(self) -> int | None:
        return self._number("nvmlDeviceGetClockInfo", ctypes.c_uint(), ctypes.c_int(SM_CLOCK))

    def power_w(self) -> float | None:
        """Drawn now; from Ampere on NVML tells the average over the last second."""
        milliwatts = self._number("nvmlDeviceGetPowerUsage", ctypes.c_uint())
        return None if milliwatts is None else milliwatts / 1e3

    def pcie(self) -> tuple[int | None, int | None]:
        """Generation and width of the link as it is now."""
        generation = self._number("nvmlDeviceGetCurrPcieLinkGeneration", ctypes.c_uint())
        return generation, self._number("nvmlDeviceGetCurrPcieLinkWidth", ctypes.c_uint())

    def _number(self, function: str, answer: Any, *arguments: Any) -> int | None:
        return int(answer.value) if self._ask(function, *arguments, ctypes.byref(answer)) else None

    def _ask(self, function: str, *arguments: Any) -> bool:
        if self.library is None:
            return False
        try:
            return bool(getattr(self.library, function)(self.handle, *arguments) == 0)
        except AttributeError:  # an old driver lacks it
            return False

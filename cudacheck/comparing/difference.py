"""One thing that is otherwise, and how it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

SPOKEN = {
    "Nvml": "driver",
    "KernelModule": "kernel module",
    "EnvironmentVariables": "variable",
    "LibCuda": "libcuda",
    "TorchBuild": "torch",
    "TorchCuda": "torch.cuda",
    "TorchDevice": "torch device",
    "TorchImport": "import torch",
    "FlashAttention": "flash_attn",
    "LoadedLibrary": "mapped library",
    "LibraryFile": "library",
    "MissingLibraryFile": "missing library",
    "Distribution": "package",
    "Gpu": "GPU",
    "GpuProcess": "process",
    "PciGpu": "PCI device",
    "CpuShare": "CPUs",
    "ErrorMessage": "message",
    "ProcessLimit": "limit",
    "CudaToolkit": "CUDA toolkit",
    "Interpreter": "Python",
}
"""How a type of fact is called; another by its own name."""
UNITS = {
    "bytes": "bytes",
    "mhz": "MHz",
    "w": "W",
    "us": "µs",
    "ms": "ms",
    "percent": "%",
    "c": "°C",
}
"""By the last word of a field's name."""
_ABBREVIATIONS = {
    word.lower(): word for word in ("CUDA", "GPU", "GPUs", "CPU", "CPUs", "NVML", "PCI", "MIG", "ECC", "ABI")
}


@dataclass(frozen=True)
class Difference:
    fact: str
    """The type of the fact, as a report's JSON names it."""
    which: str
    """Which of several: a package, a variable, `GPU 0`; empty for what is one of a kind."""
    field: str
    """Empty: the whole fact is there on one side only."""
    expected: Any
    """The first report's, as in its JSON; None: there is none."""
    found: Any
    follows: str = ""
    """`what` of the difference that explains this one: the same version in another place."""

    @property
    def what(self) -> str:
        """Its name in words.

        >>> Difference("Gpu", "GPU 0", "power_limit_w", 700.0, 500.0).what
        'GPU 0 power limit'
        >>> Difference("EnvironmentVariables", "CUDA_VISIBLE_DEVICES", "values", None, "").what
        'variable CUDA_VISIBLE_DEVICES'
        """
        kind = SPOKEN.get(self.fact) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.fact).lower()
        field = "" if self.fact == "EnvironmentVariables" and self.which else words_of(self.field)
        if self.which.startswith("GPU ") and kind in {"GPU", "torch device"}:
            kind = "" if kind == "GPU" else "torch's"
        if kind in {"driver", "torch"} and field in {"driver version", "torch version"}:
            kind = ""
        return " ".join(filter(None, (kind, self.which, field)))

    def spoken(self, value: Any) -> str:
        """A side's value in words, with its unit.

        >>> Difference("System", "", "shm_bytes", 137438953472, 67108864).spoken(67108864)
        '64 MiB'
        """
        if value is None:
            return "none" if self.field else "not there"
        if value is True or value is False:
            return "yes" if value else "no"
        if isinstance(value, (tuple, list)):
            return " ".join(map(str, value)) or "empty"
        if isinstance(value, (int, float)):
            return _number(value, UNITS.get(self.field.rpartition("_")[2], ""))
        return str(value) or "empty"


def words_of(field: str) -> str:
    """`power_limit_w` → `power limit`

    >>> words_of("cuda_version"), words_of("gpu_count"), words_of("cpus")
    ('CUDA version', 'GPU count', 'CPUs')
    """
    name, _, last = field.rpartition("_")
    words = (name if name and last in UNITS else field).split("_")
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words)


def _number(value: float, unit: str) -> str:
    if unit == "bytes":
        for power, name in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
            if abs(value) >= 1024**power:
                return f"{value / 1024**power:.4g} {name}"
    shown = f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
    return f"{shown} {unit}".rstrip()

"""What nvidia-smi prints, as values: numbers with units, switches, modes; None for every way of saying unknown."""

from __future__ import annotations

import re

MIB = 1024 * 1024

_NUMBER = re.compile(r"\s*\[?(\d{1,12}(?:\.\d{1,6})?)")
_SWITCHES = {"enabled": True, "on": True, "yes": True, "disabled": False, "off": False, "no": False}
_COMPUTE_MODES = {
    "default": "default",
    "e. process": "exclusive-process",
    "exclusive_process": "exclusive-process",
    "exclusive process": "exclusive-process",
    "e. thread": "exclusive-thread",
    "exclusive_thread": "exclusive-thread",
    "exclusive thread": "exclusive-thread",
    "prohibited": "prohibited",
}
_VIRTUALIZATION = {
    "none": "none",
    "pass-through": "passthrough",
    "vgpu": "vgpu",
    "host vgpu": "host-vgpu",
    "host vsga": "host-vsga",
}
_FABRIC_STATES = {"not started": "not-started", "in progress": "in-progress", "completed": "completed"}


def words(text: str) -> str | None:
    """The words themselves, unless they only say that nothing is known.

    >>> words(" NVIDIA L4 "), words("[N/A]"), words("ERR!")
    ('NVIDIA L4', None, None)
    """
    told = text.strip().strip("[]")
    unknown = {"", "n/a", "err!", "not supported", "unknown error", "none", "unknown", "not found", "gpu is lost"}
    return None if told.lower() in unknown else told


def number(text: str) -> float | None:
    match = _NUMBER.match(text)
    return float(match.group(1)) if match else None


def integer(text: str) -> int | None:
    """A whole number, its unit left off.

    >>> integer("12799 MiB"), integer("16x"), integer("[N/A]")
    (12799, 16, None)
    """
    value = number(text)
    return None if value is None else int(value)


def mib(text: str) -> int | None:
    """A number of MiB as bytes."""
    value = integer(text)
    return None if value is None else value * MIB


def switch(text: str) -> bool | None:
    """A pending change is marked by an asterisk; the present state counts.

    >>> switch("Enabled*"), switch("Off"), switch("N/A")
    (True, False, None)
    """
    return _SWITCHES.get(text.strip().rstrip("*").strip("[]").lower())


def compute_mode(text: str) -> str | None:
    return _COMPUTE_MODES.get(text.strip().lower())


def virtualization(text: str) -> str | None:
    return _VIRTUALIZATION.get(text.strip().lower())


def fabric_state(text: str) -> str | None:
    return _FABRIC_STATES.get(text.strip().lower())


def driver_model(text: str) -> str | None:
    told = text.strip().upper()
    return told if told in {"WDDM", "TCC", "MCDM"} else None


def pci_address(text: str) -> str | None:
    """As the kernel writes it.

    >>> pci_address("00000000:63:00.0 Off"), pci_address("0000:03:00.0")
    ('0000:63:00.0', '0000:03:00.0')
    """
    match = re.search(r"\b([0-9A-Fa-f]{4,8}):([0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\b", text)
    return f"{int(match.group(1), 16):04x}:{match.group(2).lower()}" if match else None


def version(text: str) -> str | None:
    """A version that stands alone.

    >>> version("535.129.03"), version("N/A"), version("[Deprecated; use CUDA UMD Version]"), version("No CUDA")
    ('535.129.03', None, None, None)
    """
    match = re.match(r"\s*(\d{1,6}(?:\.\d{1,6}){0,4})(?![\w.])", text)
    return match.group(1) if match else None

"""Which interpreter is inspected: the first fact of a report, which no probe asks for."""

from __future__ import annotations

from dataclasses import dataclass

from cudacheck.model import holds
from cudacheck.model.identity import Identity


@dataclass(frozen=True)
class Patient:
    """The choice of interpreter: the report's first fact."""

    python: holds.Path
    """As it will be started; symbolic links are kept, because a venv's python is one."""
    found_via: holds.FreeText
    """`--python`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `PATH` or `cudacheck's own`."""

    IDENTITY = Identity(never=True)

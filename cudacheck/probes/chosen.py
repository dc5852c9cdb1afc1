"""What was chosen for an inspection, and what is required of it: facts that no probe asks for."""

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


@dataclass(frozen=True)
class Required:
    """What this machine and environment must fulfil."""

    spec: holds.Term
    """As it was asked for: `torch>=2.7`, `gpu-memory-free>=30GB`."""
    found_in: holds.FreeText = "--require"
    """The option, a variable, or the file and its line."""

    IDENTITY = Identity(never=True)

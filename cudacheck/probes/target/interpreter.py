"""The inspected interpreter, where it imports from, and what installs packages there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Interpreter:
    version: str
    """`3.12.3`"""
    executable: str | None = None
    implementation: str | None = None
    os: str | None = None
    """`linux`, `windows` or `darwin`."""
    machine: str | None = None
    prefix: str | None = None
    base_prefix: str | None = None
    paths: Tuple[str, ...] = ()
    """sys.path as the child saw it, our own folder left out."""
    pythonpath: Tuple[str, ...] = ()
    user_site: str | None = None
    """The user's site-packages where it is on the path; empty when it is not."""
    installer: str | None = None
    """`pip`, `uv`, `conda`, `pixi` or `poetry`: what put packages here, and should again."""
    installer_found_in: str | None = None
    conda_prefix: str | None = None
    """The conda environment that this interpreter belongs to; empty when none."""
    has_pip: bool | None = None
    externally_managed: bool | None = None
    """PEP 668: the distribution forbids pip here."""
    python_headers: bool | None = None
    """Whether Python.h is installed (Triton compiles against it)."""
    compiler: str | None = None
    """The C compiler that $CC or PATH names; empty when there is none."""

"""The installed distributions that matter to CUDA, read from their metadata folders; and the files two of them claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Distribution:
    name: str
    """Normalised (PEP 503): `flash-attn`, `nvidia-cudnn-cu12`."""
    version: str
    location: str | None = None
    """The folder it is installed in; for conda packages the environment."""
    installer: str | None = None
    """`pip`, `uv`, `conda` …, as recorded at installation."""
    build: str | None = None
    """conda's build string, or the wheel's local tag."""
    requires: Tuple[str, ...] = ()
    """Its Requires-Dist lines that name torch or an nvidia package, markers left on."""
    shadowed_by: str | None = None
    """The location of a same-named distribution earlier on the path."""


@dataclass(frozen=True)
class FileClash:
    """One file that several installed distributions say is theirs; whoever was installed last won."""

    path: str
    owners: Tuple[str, ...]
    """`name==version` of each."""
    winner: str | None = None
    """The owner whose recorded hash the file on disk has; None where none or several match."""

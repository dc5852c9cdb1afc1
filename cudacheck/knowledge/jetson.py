"""What each JetPack brings along, and where its wheels are."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from cudacheck.knowledge._tables import rows


@dataclasses.dataclass(frozen=True)
class JetPack:
    """One major release of the software of a Jetson before Thor."""

    version: str
    cuda: tuple[str, ...]
    """Of its releases, the oldest first."""
    python: str
    """Of its Ubuntu."""
    index: str
    """Where there are wheels of PyTorch for it; empty where nobody saw one."""
    source: str


@lru_cache
def jetpacks(capability: str, branch: int | None = None) -> tuple[JetPack, ...]:
    """Those that run on this GPU (`8.7`), the newest first; with a driver branch that one has, that one alone."""
    fitting = [row for row in rows("jetson", "jetpacks") if row["verified"] and capability in row["capabilities"]]
    of_driver = [row for row in fitting if branch is not None and row.get("driver") == branch]
    return tuple(
        JetPack(row["jetpack"], tuple(row["cuda"]), row["python"], row.get("index", ""), row["source"])
        for row in of_driver or fitting
    )

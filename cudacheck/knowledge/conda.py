"""Which PyTorch conda-forge has."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cudacheck.knowledge._tables import rows
from cudacheck.knowledge.torch_builds import Build, Release, companions, tag_of_cuda


@lru_cache
def conda_builds(machine: str = "x86_64", os: str = "linux") -> tuple[tuple[Release, Build], ...]:
    """Every variant of its `pytorch-gpu` for a kind of machine; the `tag` is only its CUDA's spelling."""
    fitting = [
        row
        for row in rows("conda", "builds")
        if row["verified"] and row.get("machine", "x86_64") == machine and row.get("os", "linux") == os
    ]
    return tuple((_release(row), _build(row)) for row in fitting)


def _release(row: dict[str, Any]) -> Release:
    version = row["torch"]
    tag, pythons = tag_of_cuda(row["cuda"]), tuple(row["pythons"])
    return Release(version, tag, pythons, verified=True, source=row["source"], companions=companions(version))


def _build(row: dict[str, Any]) -> Build:
    return Build(
        torch=row["torch"],
        tag=tag_of_cuda(row["cuda"]),
        archs=tuple(f"sm_{arch.replace('.', '')}" for arch in row["archs"].split()),
        verified=True,
        source=row["source"],
        machine=row.get("machine", "x86_64"),
        os=row.get("os", "linux"),
        ptx=row["ptx"],
        glibc=row.get("glibc"),
        index=False,
        channel="conda-forge",
    )

"""Which flash-attn wheels exist, for which PyTorch each was built, and what its import errors mean."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

from cudacheck.knowledge._tables import as_version, rows, table
from cudacheck.knowledge.torch_builds import pythons_of, release_of


@dataclasses.dataclass(frozen=True)
class BuiltFor:
    """What the official wheels of one flash-attn release were built for."""

    version: str
    torch: tuple[str, ...]
    """PyTorch minors, `2.8`."""
    cuda_tags: tuple[str, ...]
    """As the wheel's name spells CUDA: `cu12`, before 2.7.0 `cu123`."""
    pythons: tuple[str, ...]
    blackwell: bool
    """Whether they hold kernels for 10.0 and 12.0."""
    source: str
    verified: bool


@dataclasses.dataclass(frozen=True)
class FlashAttnVariant:
    """flash-attn 3 or 4: packages of their own."""

    name: str
    recommended: tuple[str, ...]
    """The compute capabilities that it was made for; it may run on others."""
    torch: str
    """PEP 440; empty where any will do."""
    tags: tuple[str, ...]
    """PyTorch's indexes that hold it; none where the default index does."""
    extra: str
    """Of its own, for CUDA 13."""
    machines: tuple[str, ...]
    pythons: tuple[str, ...]
    source: str


@lru_cache
def flash_attn_variants() -> tuple[FlashAttnVariant, ...]:
    """The newest last; all are for Linux."""
    return tuple(
        FlashAttnVariant(
            name=row["name"],
            recommended=tuple(row["recommended"]),
            torch=row.get("torch", ""),
            tags=tuple(row.get("tags", ())),
            extra=row.get("extra", ""),
            machines=tuple(row["machines"]),
            pythons=tuple(row["pythons"]),
            source=row["source"],
        )
        for row in rows("flash_attn", "variants")
        if row["verified"]
    )


def flash_attn_wheel(
    torch_version: str,
    cuda: str,
    python: str,
    cxx11_abi: bool | None,
    machine: str = "x86_64",
    *,
    blackwell: bool = False,
) -> str | None:
    """The address of an official wheel for this PyTorch (`2.8.0`, `12.8`, `3.12`, True); None where there is none.

    `blackwell`: it must hold kernels for compute capability 10.0 and 12.0.
    """
    minor, minor_python = (release_of(torch_version) or "").rpartition(".")[0], ".".join(python.split(".")[:2])
    if cxx11_abi is None or minor_python not in (pythons_of(torch_version) or ()):
        return None
    wanted = (minor, f"cu{cuda.partition('.')[0]}", cxx11_abi)
    for row in rows("flash_attn", "recommended"):
        built_for = flash_attn_built_for(row["version"])
        if (
            built_for is not None
            and row["verified"]
            and (row["torch"], row["cuda"], row["cxx11_abi"]) == wanted
            and minor_python in row.get("pythons", built_for.pythons)
            and machine in row.get("machines", ("x86_64",))
            and (built_for.blackwell or not blackwell)
        ):
            return _wheel_address(built_for, row, minor_python, machine)
    return None


def _wheel_address(built_for: BuiltFor, row: dict[str, Any], python: str, machine: str) -> str:
    wheel = table("flash_attn")["wheel_name"].format(
        version=built_for.version,
        # before 2.7.0 the name holds the minor, too: cu123
        cuda=next((tag for tag in built_for.cuda_tags if tag.startswith(row["cuda"])), row["cuda"]),
        torch=row["torch"],
        abi=str(row["cxx11_abi"]).upper(),
        python=python.replace(".", ""),
        machine=machine,
    )
    return str(table("flash_attn")["wheel_url"].format(version=built_for.version, wheel=wheel))


def flash_attn_built_for(version: str) -> BuiltFor | None:
    """What the wheels of this flash-attn release were built for; None where unknown."""
    row = next((row for row in rows("flash_attn", "releases") if row["version"] == version), None)
    if row is None:
        return None
    return BuiltFor(
        version=row["version"],
        torch=tuple(row["torch"]),
        cuda_tags=tuple(row["cuda_tags"]),
        pythons=tuple(row["pythons"]),
        blackwell=row.get("blackwell", False),
        source=row["source"],
        verified=row["verified"],
    )


def flash_attn_wheel_glibc() -> str:
    """The glibc that its official wheels ask for."""
    return str(table("flash_attn")["wheel_glibc"])


def flash_attn_supports(capability: str) -> bool:
    """Whether flash-attn 2 has kernels for this compute capability."""
    return as_version(capability) >= as_version(table("flash_attn")["min_compute_capability"])


def flash_attn_symbol(symbol: str) -> dict[str, str | bool]:
    """What an undefined symbol tells of the PyTorch it was built for: `torch` (`2.3-2.7`), `cxx11_abi`; else empty."""
    found = [row for row in rows("flash_attn", "symbols") if symbol.startswith(row["symbol"])]
    longest = max(found, key=lambda row: len(row["symbol"]), default={})
    return {key: longest[key] for key in ("torch", "cxx11_abi") if key in longest}

"""Which packages were built for which PyTorch, as their wheels on the default index say."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from cudacheck.knowledge._tables import rows


@dataclasses.dataclass(frozen=True)
class BuiltWith:
    """One release of a package whose wheel holds code for one PyTorch."""

    package: str
    version: str
    torch: str
    """The release that its Requires-Dist pins."""
    tag: str
    """The CUDA that its wheel on the default index was built for, as PyTorch's tag."""
    pythons: tuple[str, ...]
    source: str
    glibc: str
    """That its manylinux tag asks for."""
    compute_capability: str = "5.0"
    """The oldest that it has kernels for."""
    machines: tuple[str, ...] = ("x86_64",)
    """All are for Linux."""


@lru_cache
def built_with(package: str) -> tuple[BuiltWith, ...]:
    """The known releases of this package, newest first; none where nothing is known of it."""
    return tuple(
        BuiltWith(
            package,
            version,
            torch=row["torch"],
            tag=row["tag"],
            pythons=tuple(row["pythons"]),
            source=row["source"],
            glibc=row["glibc"],
            compute_capability=row.get("compute_capability", "5.0"),
            machines=tuple(row.get("machines", ("x86_64",))),
        )
        for row in rows("packages", "built_with")
        if row["verified"] and row["package"] == package
        for version in row["versions"].split()
    )


def devel_image(cuda: str) -> str | None:
    """NVIDIA's image with the compiler of this CUDA (`13.0`); None where none was seen."""
    found = (row for row in rows("packages", "images") if row["verified"] and row["cuda"] == cuda)
    return next((str(row["image"]) for row in found), None)


@dataclasses.dataclass(frozen=True)
class TritonWheel:
    """The Triton of a PyTorch release, and the compiler in it."""

    version: str
    ptxas: str
    """`12.9.86`, or two of them."""
    compute_capabilities: tuple[str, ...]
    """All that its ptxas compiles for."""
    source: str


def triton_of(torch_version: str) -> TritonWheel | None:
    """Of a release (`2.15.0`) on Linux x86_64; None where nobody opened it."""
    for row in rows("packages", "triton"):
        if row["verified"] and torch_version in row["torch"].split():
            known = tuple(row["compute_capabilities"].split())
            return TritonWheel(row["version"], row["ptxas"].replace(" ", " and "), known, row["source"])
    return None

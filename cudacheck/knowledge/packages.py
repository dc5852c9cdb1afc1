"""Which PyTorch, Python and machine packages beside PyTorch ask for; images with a compiler; Triton's ptxas."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

from packaging.specifiers import SpecifierSet

from cudacheck.knowledge._tables import rows


@dataclasses.dataclass(frozen=True)
class PackageRelease:
    """One release of a package, and what it asks for."""

    package: str
    version: str
    torch: str
    """PEP 440: `==2.14.0`; empty where any will do."""
    tag: str
    """The CUDA that its wheel on the default index was built for: `cu130`; `cu13`: any of that major; empty: all."""
    pythons: tuple[str, ...]
    source: str
    glibc: str
    """That its manylinux tag asks for; empty where nothing is compiled."""
    compute_capability: str
    """The oldest that it has kernels for."""
    machines: tuple[str, ...]
    systems: tuple[str, ...]
    optional: bool
    """Whether it runs with another PyTorch as well, without its compiled parts."""

    def suits(self, torch_version: str, tag: str) -> bool:
        """Whether it was made for this build of PyTorch (`2.14.0`, `cu130`)."""
        return tag.startswith(self.tag) and (not self.torch or torch_version in SpecifierSet(self.torch))


@lru_cache
def package_releases(package: str) -> tuple[PackageRelease, ...]:
    """The known releases of this package; none where nothing is known of it."""
    return tuple(
        PackageRelease(
            package,
            version,
            torch=row["torch"],
            tag=row.get("tag", ""),
            pythons=tuple(row["pythons"]),
            source=row["source"],
            glibc=row.get("glibc", ""),
            compute_capability=row.get("compute_capability", "5.0"),
            machines=tuple(row.get("machines", ("x86_64",))),
            systems=tuple(row.get("os", ("linux",))),
            optional=row.get("optional", False),
        )
        for row in rows("packages", "releases")
        if row["verified"] and row["package"] == package
        for version in row["versions"].split()
    )


def devel_image(cuda: str) -> str | None:
    """NVIDIA's image with the compiler of this CUDA (`13.0`); None where none was seen."""
    found = (row for row in rows("packages", "images") if row["verified"] and row["cuda"] == cuda)
    return next((str(row["image"]) for row in found), None)


@dataclasses.dataclass(frozen=True)
class TorchImage:
    """A container image with a PyTorch in it."""

    name: str
    torch: str
    """`2.14.1`; `2.10.0a0` is a build of NVIDIA's own."""
    cuda: str
    source: str


@lru_cache
def images() -> tuple[TorchImage, ...]:
    """Those that were seen, for Linux x86_64."""
    found = (row for row in rows("packages", "torch_images") if row["verified"])
    return tuple(TorchImage(row["image"], row["torch"], row["cuda"], row["source"]) for row in found)


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

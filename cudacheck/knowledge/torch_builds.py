"""Which PyTorch builds were published: by release, index tag and machine, with their architectures and partners."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import Any

from packaging.specifiers import SpecifierSet

from cudacheck.knowledge._tables import as_version, rows


@dataclasses.dataclass(frozen=True)
class Build:
    """One build of one PyTorch minor release, as published in a wheel."""

    torch: str
    """`2.8`, or `2.12.1` where the row holds for one release alone."""
    tag: str
    """`cu128`"""
    archs: tuple[str, ...]
    """`sm_80` …; empty where unknown."""
    verified: bool
    source: str
    machine: str = "x86_64"
    os: str = "linux"
    ptx: str | None = None
    """The capability (`12.0`) whose PTX the documentation says is in it, too."""
    nccl: str | None = None
    cxx11_abi: bool | None = None
    glibc: str | None = None
    """The glibc that its wheel's manylinux tag asks for: `2.28`."""
    experimental: bool = False
    """Published, but not what one would recommend."""
    index: bool = True
    """Whether it is on download.pytorch.org under its tag; False: only the default index is known to have it."""
    note: str = ""
    channel: str = ""
    """The conda channel that has it; empty for a wheel."""

    @property
    def cuda(self) -> str:
        """`12.8`"""
        return cuda_of_tag(self.tag)


@dataclasses.dataclass(frozen=True)
class Companions:
    """What belongs to one PyTorch release; None where no release of it does."""

    torchvision: str | None
    torchaudio: str | None


@dataclasses.dataclass(frozen=True)
class Release:
    """One PyTorch release."""

    version: str
    default: str
    """The tag of the build that the default index serves to Linux x86_64."""
    pythons: tuple[str, ...]
    """The Pythons it has wheels for."""
    verified: bool
    """Whether its wheels are known under all tags of its minor release."""
    source: str
    companions: Companions | None = None
    """Only where verified."""
    pythons_without_torchvision: tuple[str, ...] = ()
    pythons_without_torchaudio: tuple[str, ...] = ()
    released: str = ""
    note: str = ""


@lru_cache(maxsize=1024)
def release_of(torch_version: str) -> str | None:
    """`2.8.0+cu128` → `2.8.0`; None for nightlies and for builds of others (`2.8.0a0+….nv25.05`)."""
    match = re.fullmatch(r"(\d+\.\d+\.\d+)(\+(cu\d+|cpu|rocm)[\w.]*)?", torch_version)
    return match[1] if match else None


@lru_cache
def releases() -> tuple[Release, ...]:
    """All known releases, oldest first."""
    return tuple(_release(row) for row in rows("torch_builds", "releases"))


def _release(row: dict[str, Any]) -> Release:
    values = {field.name: row[field.name] for field in dataclasses.fields(Release) if field.name in row}
    for key in ("pythons", "pythons_without_torchvision", "pythons_without_torchaudio"):
        values[key] = tuple(row.get(key, ()))
    if row.get("companions_verified"):
        values["companions"] = Companions(row.get("torchvision"), row.get("torchaudio"))
    return Release(**values)


def release(torch_version: str) -> Release | None:
    """The release of this version (`2.8.0+cu128`); None where there is none or it is unknown."""
    return next((known for known in releases() if known.version == release_of(torch_version)), None)


@lru_cache
def _all_builds() -> tuple[Build, ...]:
    return tuple(
        Build(**row | {"archs": tuple(f"sm_{arch.replace('.', '')}" for arch in row.get("archs", "").split())})
        for row in rows("torch_builds", "builds")
    )


def builds(machine: str = "x86_64", os: str = "linux") -> tuple[Build, ...]:
    """All known builds for a kind of machine, oldest release first."""
    return tuple(build for build in _all_builds() if build.machine == machine and build.os == os)


def build_of(torch_version: str, tag: str, machine: str = "x86_64", os: str = "linux") -> Build | None:
    """The row that holds for this release and tag."""
    version = release_of(torch_version)
    if version is None:
        return None
    minor = version.rpartition(".")[0]
    found = [b for b in builds(machine, os) if b.tag == tag and b.torch in (version, minor)]
    return max(found, key=lambda build: len(build.torch), default=None)


def archs_of(torch_version: str, cuda: str, machine: str = "x86_64", os: str = "linux") -> tuple[str, ...] | None:
    """The architectures in a wheel (`2.8.0`, `12.8`), as torch.cuda.get_arch_list() spells them; verified rows only.

    Documented PTX is added (`compute_120`). Conda packages of the same release have other lists.
    """
    build = build_of(torch_version, tag_of_cuda(cuda), machine, os)
    if build is None or not build.verified or not build.archs:
        return None
    return build.archs + ((f"compute_{build.ptx.replace('.', '')}",) if build.ptx else ())


def exists(torch_version: str, tag: str) -> bool | None:
    """Whether `torch==VERSION+TAG` was ever published, for whatever machine; None where unknown.

    A build without a row is unknown. No is the answer of rows that say so: the range of a tag, the list of releases
    where it is whole.
    """
    version = release_of(torch_version)
    if version is None or not tag.startswith("cu") or is_newer_than_known(version):
        return None
    known = release(version)
    if known is None and _within("whole", version):
        return False
    if any(not _in_range(row, version) for row in rows("torch_builds", "tags") if row["tag"] == tag):
        return False
    minor = version.rpartition(".")[0]
    seen = any(b.verified for b in _all_builds() if b.tag == tag and b.torch in (version, minor))
    return True if seen and known is not None and known.verified else None


def _within(key: str, version: str) -> bool:
    return any(_in_range(row, version) for row in rows("torch_builds", key))


def _in_range(row: dict[str, Any], version: str) -> bool:
    wanted = as_version(version)
    return as_version(row["first"]) <= wanted and not ("last" in row and wanted > as_version(row["last"]))


def is_newer_than_known(torch_version: str) -> bool:
    """Whether this is a PyTorch from after the newest release that the tables know: `2.16.0`, its nightlies too."""
    numbers = re.match(r"(\d+\.\d+)(?:\.(\d+))?", torch_version)
    return numbers is not None and as_version(numbers[0]) > as_version(releases()[-1].version)


def has_cpu_build(release: Release) -> bool:
    """Whether PyTorch's index is known to have this release, and its partners, under `cpu`."""
    return _within("cpu", release.version)


def why_not(spec: str) -> str | None:
    """Why a well-known specification (`torch==2.4.0+cu128`) never existed."""
    never = rows("torch_builds", "does_not_exist")
    return next((str(row["why"]) for row in never if spec in row["spec"].split(", ")), None)


def companions(torch_version: str) -> Companions | None:
    """The torchvision and torchaudio of this release; None where no verified row tells."""
    known = release(torch_version)
    return known.companions if known else None


def fits(package: str, version: str, torch_version: str) -> bool | None:
    """Whether this torchvision or torchaudio works with this PyTorch; None where no row tells.

    Some fit a range of releases; the others fit the minor release of the one that they were published with. Nothing is
    known of nightlies and source builds, nor of what is newer than the tables.

    >>> fits("torchvision", "0.29.2", "2.15.0+cu132"), fits("torchvision", "0.23.0", "2.15.0")
    (True, False)
    >>> fits("torchvision", "0.99.0", "2.15.0") is None, fits("torchvision", "0.23.0", "2.15.0a0+git1") is None
    (True, True)
    """
    wanted, ours = torch_of(package, version), release_of(torch_version)
    if wanted is None or ours is None:
        return None
    return ours in SpecifierSet(wanted)


@lru_cache
def torch_of(package: str, version: str) -> str | None:
    """The PyTorch that this torchvision or torchaudio works with (PEP 440: `>=2.14.0`); None where no row tells."""
    public = version.partition("+")[0]
    for row in rows("torch_builds", "partners"):
        if row["package"] == package and public in row["versions"].split():
            return str(row["torch"])
    return f"=={minor}.*" if (minor := _published_with(package, public)) else None


def _published_with(package: str, version: str) -> str | None:
    """The PyTorch minor (`2.8`) of the releases that this partner, or one of its minor and not older, belongs to."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return None
    pairs = [(getattr(each.companions, package, None), each.version) for each in releases() if each.companions]
    same = [(as_version(p), torch) for p, torch in pairs if p and as_version(p)[:2] == as_version(version)[:2]]
    known = [torch for partner, torch in same if partner >= as_version(version)]
    return known[0].rpartition(".")[0] if known else None


def default_index_tag(torch_version: str) -> str | None:
    """The build that a plain `pip install torch==VERSION` takes on Linux x86_64: `cu128`."""
    known = release(torch_version)
    return known.default if known else None


def pythons_of(torch_version: str) -> tuple[str, ...] | None:
    """The Pythons (`3.12`) that this release has wheels for; None where unknown."""
    known = release(torch_version)
    return known.pythons if known else None


def cuda_of_tag(tag: str) -> str:
    """`cu128` → `12.8`"""
    return f"{tag[2:-1]}.{tag[-1]}"


def tag_of_cuda(cuda: str) -> str:
    """`12.8` → `cu128`"""
    return "cu" + "".join(cuda.split(".")[:2])

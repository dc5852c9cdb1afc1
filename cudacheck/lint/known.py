"""What is published, as far as rules ask for it: the one place of lint that asks `cudacheck.knowledge`."""

from __future__ import annotations

import re
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from cudacheck import knowledge
from cudacheck.knowledge import (
    cuda_of_tag,
    cudnn_major_of,
    driver_at_least,
    minimum_driver,
    pythons_of,
)
from cudacheck.knowledge.flash_attn import flash_attn_built_for
from cudacheck.knowledge.recipes import (
    cuda_image_missing,
    gradio_releases,
    gradio_took,
    is_off_torch_index,
    pinned_torch,
)
from cudacheck.lint.facts import Install, PackageSpec, Recipe, Tool, Variable

__all__ = [
    "FAMILY",
    "INDEX_VARIABLES",
    "allows",
    "build_of",
    "cuda_image_missing",
    "cuda_of_tag",
    "cudnn_major_of",
    "default_tag",
    "driver_at_least",
    "flash_attn_built_for",
    "gradio_allowed",
    "gradio_releases",
    "gradio_took",
    "is_cuda_tag",
    "is_off_torch_index",
    "is_torch_index",
    "lacks_kernels",
    "minimum_driver",
    "nearest_tag",
    "pairs",
    "partner",
    "pinned_torch",
    "published",
    "pythons_of",
    "release_versions",
    "released",
    "stays_below",
    "tag_ever_built",
    "tags_of",
    "torch_index_tag",
    "torch_of_partner",
]

PYTORCH_HOSTS = ("download.pytorch.org", "download-r2.pytorch.org")
INDEX_VARIABLES = {
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_TORCH_BACKEND",
    "PIP_FIND_LINKS",
    "PIP_CONFIG_FILE",
}
"""Variables that name an index."""
FAMILY = ("torch", "torchvision", "torchaudio")
default_tag = knowledge.default_index_tag
"""The tag of what the default index serves to Linux x86_64."""
published = knowledge.exists
"""Whether `torch==VERSION+TAG` was published; None where nobody could tell."""


def is_cuda_tag(tag: str) -> bool:
    return bool(re.fullmatch(r"cu\d{2,3}", tag))


def torch_index_tag(url: str) -> str | None:
    """The tag of PyTorch's own index: `cu128`; None for other addresses, and for the index of all tags."""
    match = re.match(r"https?://([\w.-]+)/whl/(?:test/)?(cu\d+|cpu|rocm[\d.]+|xpu)/?$", url)
    return match[2] if match and match[1] in PYTORCH_HOSTS else None


def is_torch_index(url: str) -> bool:
    return any(f"://{host}/whl" in url for host in PYTORCH_HOSTS)


def released(version: str) -> bool | None:
    """Whether PyTorch had this release; None for what is newer or older than the tables, or no plain release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or knowledge.is_newer_than_known(version):
        return None
    known = knowledge.releases()
    if not knowledge.as_version(version) >= knowledge.as_version(known[0].version):
        return None
    return any(release.version == version for release in known)


def build_of(recipe: Recipe, install: Install) -> tuple[str, str, PackageSpec] | None:
    """The PyTorch that an install asks for by its exact version, as (`2.8.0`, `cu128`, where it says so).

    The tag is its own, else that of the one index that is asked, else the default index's; None where nobody can tell.
    """
    asked = next((r for r in install.requirements if r.name == "torch" and not r.url), None)
    if asked is None or asked.public is None or install.tool is Tool.CONDA or not released(asked.public):
        return None
    tag = asked.tag or _index_tag(recipe, install, asked.public)
    return (
        (asked.public, tag, asked) if tag and is_cuda_tag(tag) and published(asked.public, tag) is not False else None
    )


def _index_tag(recipe: Recipe, install: Install, version: str) -> str | None:
    if install.find_links or install.files:
        return None
    if install.indexes:
        only = install.indexes[0] if len(install.indexes) == 1 and install.indexes[0].replaces else None
        return torch_index_tag(only.url) if only else None
    elsewhere = [*recipe.project, *recipe.all(Install)] if install.from_file else []
    set_outside = any(v.name in INDEX_VARIABLES for v in recipe.all(Variable))
    return None if set_outside or any(i.indexes or i.find_links for i in elsewhere) else default_tag(version)


def release_versions() -> tuple[str, ...]:
    return tuple(release.version for release in knowledge.releases())


def tags_of(torch: str) -> tuple[str, ...]:
    """The CUDA tags under which PyTorch's index certainly has this release, oldest first."""
    minor = torch.rpartition(".")[0]
    tags = {b.tag for b in knowledge.builds() if b.torch in (torch, minor) and b.verified and b.index}
    return tuple(sorted(tag for tag in tags if published(torch, tag)))


@lru_cache
def torch_of_partner(name: str, version: str) -> tuple[str, ...]:
    """The PyTorch releases that this torchvision or torchaudio was published with; empty where unknown."""
    pairs_of = [(release.version, knowledge.companions(release.version)) for release in knowledge.releases()]
    return tuple(torch for torch, partners in pairs_of if partners and getattr(partners, name) == version)


def pairs(torch: str, name: str, version: str) -> bool | None:
    """Whether this torchvision or torchaudio belongs to this PyTorch; None where nobody could tell."""
    return knowledge.fits(name, version, torch) if released(torch) else None


def partner(torch: str, name: str) -> str | None:
    partners = knowledge.companions(torch)
    return getattr(partners, name) if partners else None


@lru_cache
def allows(specifier: str, version: str) -> bool | None:
    """Whether a requirement allows this version; None where it cannot be read."""
    text = specifier if not re.fullmatch(r"=\d.*", specifier) else f"={specifier}"
    try:
        return SpecifierSet(text).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None


@lru_cache
def stays_below(specifier: str, first: str) -> bool:
    """Whether a requirement allows no version from this one on: one of its clauses says so.

    >>> stays_below(">=4.40,<4.50", "4.56"), stays_below("==4.44.*", "4.56"), stays_below("~=4.44.0", "4.56")
    (True, True, True)
    >>> stays_below("==5.14.1", "4.56"), stays_below(">=4.40", "4.56"), stays_below("~=4.44", "4.56")
    (False, False, False)
    """
    try:
        clauses = [*SpecifierSet(specifier)]
        return any(_ends_below(clause.operator, clause.version, Version(first)) for clause in clauses)
    except (InvalidSpecifier, InvalidVersion):
        return False


def _ends_below(operator: str, version: str, first: Version) -> bool:
    numbers = Version(version.removesuffix(".*")).release
    if operator == "~=" or version.endswith(".*"):  # the next version of the last number that is kept
        kept = numbers[:-1] if operator == "~=" else numbers
        return operator != "!=" and Version(".".join(map(str, (*kept[:-1], kept[-1] + 1)))) <= first
    bound = Version(version)
    return (operator in {"==", "===", "<="} and bound < first) or (operator == "<" and bound <= first)


def tag_ever_built(tag: str) -> bool | None:
    """Whether any release has this CUDA tag; None for CPU, ROCm, and what is older or newer than the tables."""
    if not is_cuda_tag(tag):
        return None
    built_for = _all_tags()
    if tag in built_for:
        return True
    newest = max(int(known[2:]) for known in built_for)
    return False if 100 <= int(tag[2:]) < newest and len(tag) == 5 else None


@lru_cache
def _all_tags() -> frozenset[str]:
    tags = {b.tag for b in knowledge.builds()} | {r.default for r in knowledge.releases()}
    # Of releases that the tables leave out, or of few: never said not to exist.
    return frozenset(tags | {"cu110", "cu115", "cu129", "cu134"})


def nearest_tag(tag: str) -> str | None:
    """The newest tag of the same CUDA major that is not newer, else the oldest of that major."""
    same = sorted(t for t in _all_tags() if t[:-1] == tag[:-1] and t.startswith("cu"))
    older = [t for t in same if t <= tag]
    return older[-1] if older else same[0] if same else None


def gradio_allowed(asked: list[tuple[str, str | None]]) -> list[int]:
    """Which releases of the table these requirements (specifier, exact version) leave; all of them for none.

    An exact version between two of the table is one or the other: both are named.
    """
    listed = [Version(release) for release in gradio_releases()]
    exact = [Version(version) for _, version in asked if version and re.fullmatch(r"\d+(\.\d+)*", version)]
    if exact:
        below = [max((i for i, v in enumerate(listed) if v <= version), default=0) for version in exact]
        above = [min((i for i, v in enumerate(listed) if v >= version), default=len(listed) - 1) for version in exact]
        return sorted({*below, *above})
    specifiers = [specifier for specifier, _ in asked if specifier]
    return [
        i for i, v in enumerate(listed) if not specifiers or any(allows(s, str(v)) is not False for s in specifiers)
    ]


def lacks_kernels(torch: str, tag: str, capability: str) -> bool | None:
    """Whether this build surely has no code for a GPU of this capability; None where nobody could tell."""
    archs = knowledge.archs_of(torch, cuda_of_tag(tag))
    return None if archs is None else not knowledge.covers(archs, capability)

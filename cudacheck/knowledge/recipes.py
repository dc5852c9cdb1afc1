"""What recipes name beside PyTorch itself: Gradio's arguments, who pins which PyTorch, NVIDIA's image tags."""

from __future__ import annotations

import re
from typing import Any

from packaging.version import Version

from cudacheck.knowledge._tables import as_version, rows, table


def gradio_releases() -> tuple[str, ...]:
    """The releases whose signatures were read, oldest first."""
    return tuple(table("recipes")["gradio_signatures"]["releases"])


def gradio_took(function: str, argument: str) -> tuple[bool, ...] | None:
    """For each of those releases, whether `launch`, `queue`, … took this argument; None where no row tells."""
    row = next((r for r in rows("recipes", "gradio") if (r["function"], r["argument"]) == (function, argument)), None)
    if row is None:
        return None
    versions = [Version(version) for version in gradio_releases()]
    first, last = row.get("first"), row.get("last")
    if not first and not last:
        return tuple(False for _ in versions)
    return tuple((not first or v >= Version(first)) and (not last or v <= Version(last)) for v in versions)


def pinned_torch(package: str, version: str) -> str | None:
    """The PyTorch that this release of vLLM or xformers pins in its metadata (`2.8.0`); None where unknown."""
    found = (row for row in rows("recipes", "pins") if (row["package"], row["version"]) == (package, version))
    return next((str(row["torch"]) for row in found), None)


def is_off_torch_index(package: str) -> bool:
    """Whether PyTorch's index is known not to hold a package of this (normalised) name."""
    return package in table("recipes")["torch_index"]["lacks"]


def cuda_image_missing(tag: str | None) -> str | None:
    """Why the image nvidia/cuda has no such tag; None where it has, or nobody could tell.

    >>> cuda_image_missing("12.4.1-cudnn8-runtime-ubuntu22.04")
    'does not exist: cudnn8 ended with 12.2.2'
    >>> cuda_image_missing("12.8.1-base-ubuntu22.04") is None
    True
    """
    images = table("recipes")["images"]
    if tag in {None, "latest"}:
        return "has no tag latest: name a version"
    match = re.match(r"(\d+(?:\.\d+)*)(-.*)?$", tag or "")
    if not match:
        return None
    version, rest = match[1], match[2] or ""
    number = as_version(version)
    if number[0] < as_version(images["first_kept"])[0]:
        return "is gone: images for CUDA 10 and older were deleted"
    if number > (*as_version(images["newest"])[:2], 99):
        return None
    if len(number) != 3:
        return "does not exist: a tag names a version of three numbers, 12.8.1"
    if not any(f"-{flavour}" in rest for flavour in images["flavours"]) or rest.count("-") < 2:
        return "does not exist: a tag names base, runtime or devel, and a system" if "tensorrt" not in rest else None
    return _cudnn_missing(number, rest, images) or _system_missing(number, rest, images)


def _cudnn_missing(number: tuple[int, ...], rest: str, images: dict[str, Any]) -> str | None:
    last8, first = as_version(images["last_cudnn8"]), as_version(images["first_cudnn_without_number"])
    if "-cudnn8" in rest and number > last8:
        return f"does not exist: cudnn8 ended with {images['last_cudnn8']}"
    if re.search(r"-cudnn\d", rest) and number >= first:
        return "does not exist: from 12.4 on the tag says cudnn without a number"
    if "-cudnn-" in rest and number < first:
        return "does not exist: before 12.4 the tag says cudnn8 or cudnn9"
    return None


def _system_missing(number: tuple[int, ...], rest: str, images: dict[str, Any]) -> str | None:
    system = rest.rpartition("-")[2]
    first, last = images["systems"].get(system, ("", ""))
    if first and number < as_version(first):
        return f"does not exist: {system} begins with {first}"
    if last and number > as_version(last):
        return f"does not exist: {system} ended with {last}"
    return None

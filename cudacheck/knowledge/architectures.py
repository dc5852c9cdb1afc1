"""Which GPU runs which compiled code: PyTorch's own rules, as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

# torch 2.13.0 torch/cuda/__init__.py, DEVICE_REQUIREMENT: code for X.Y runs on X.Z with Z >= Y, but discrete and
# integrated GPUs of one major version do not run each other's.
NOT_RUN_BY = {50: {53}, 52: {53}, 60: {62}, 61: {62}, 70: {72}, 80: {87}, 86: {87}, 100: {101}}
RUN_ONLY_BY = {53: {53}, 62: {62}, 72: {72}, 87: {87}, 101: {101, 110}}

_ARCH = re.compile(r"(sm|compute)_(\d+)([af]?)$")


def covers(archs: Sequence[str], capability: str) -> bool:
    """Whether a build with these architectures (`sm_80`, `sm_90a`, `compute_120`) runs on a GPU of this capability."""
    device = _number(capability)
    return any(_runs(arch, device) for arch in archs)


def gap(archs: Sequence[str], capability: str) -> Literal["too-new", "too-old"]:
    """Why a build does not cover a GPU: it is newer than all the build holds, or older (or in a gap of the list)."""
    built_for = [int(match[2]) for match in map(_ARCH.match, archs) if match]
    return "too-new" if _number(capability) > max(built_for, default=0) else "too-old"


@lru_cache
def _runs(arch: str, device: int) -> bool:
    match = _ARCH.match(arch)
    if not match:
        return False
    kind, code, suffix = match[1], int(match[2]), match[3]
    if suffix == "a":  # architecture-specific code runs nowhere else, be it SASS or PTX
        return device == code
    if kind == "compute" and suffix != "f":
        return device >= code
    if code in RUN_ONLY_BY:
        return device in RUN_ONLY_BY[code]
    same_major = device // 10 == code // 10 and device >= code
    return same_major and device not in NOT_RUN_BY.get(code, ())


def _number(capability: str) -> int:
    major, _, minor = capability.partition(".")
    return int(major) * 10 + int(minor or 0)

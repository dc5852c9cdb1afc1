"""The answer to `what to install here`: the values that are printed, and promised as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

SCHEMA_VERSION = "1.0"

By = Literal["gpu", "driver", "python", "glibc", "requirement", "partner", "unverified"]
"""What a reason is about."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """One build, its partners, and what to type."""

    torch: str
    """`2.14.1`"""
    tag: str
    """The CUDA tag, always: `cu126`."""
    index: str | None
    """The address that serves it; None is the default index."""
    torchvision: str | None
    torchaudio: str | None
    flash_attn: str | None
    """The address of the official flash-attn 2 wheel; None where there is none, or where it was not asked for."""
    python: str | None
    """The Python it is for; None where nobody told."""
    pythons: tuple[str, ...]
    """All that it has wheels for."""
    packages: dict[str, str]
    """What else was asked for: name to version, empty where any version will do for all that is known."""
    channel: str | None
    """`conda-forge`, where it is conda's package and no wheel."""
    commands: tuple[str, ...] = ()
    """Shell commands, one a line; those that install by the file, where there is one."""
    file: str = ""
    """The name of the file that `text` belongs into; empty where the commands say all."""
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Why:
    """One constraint that the chosen build meets."""

    by: By
    says: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class RuledOut:
    """One build that is newer than the chosen one, or as new, and cannot be taken."""

    torch: str
    tag: str
    by: By
    reason: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Alternative:
    """Another build that fits, or what one change would buy."""

    by: Literal["runner-up", "gpu", "driver", "python", "glibc", "requirement", "installer", "machine"]
    change: str
    """What would have to change, as an order; empty for a runner-up."""
    torch: str
    tag: str
    index: str | None
    torchvision: str | None = None
    torchaudio: str | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Remark:
    """What belongs to the chosen build besides packages; what was asked for and is not in it."""

    about: Literal["attention", "compile", "triton", "jit", "container", "jetpack", "beside", "left out"]
    says: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class PlannedFor:
    """The machine, as far as it was told."""

    gpus: tuple[str, ...]
    compute_capabilities: tuple[str, ...]
    driver: str | None
    os: str
    machine: str
    python: str | None
    glibc: str | None


@dataclasses.dataclass(frozen=True)
class Deviation:
    """What is installed otherwise than planned."""

    package: str
    installed: str | None
    """None where it is not installed."""
    planned: str


@dataclasses.dataclass(frozen=True)
class InstallPlan:
    """What to install, what ruled the rest out, and what one change would buy."""

    choice: Chosen | None
    """None where no build is possible, or nobody can tell."""
    machine: PlannedFor
    requirements: tuple[str, ...]
    why: tuple[Why, ...]
    ruled_out: tuple[RuledOut, ...]
    alternatives: tuple[Alternative, ...]
    cannot_tell: tuple[str, ...]
    """What was not known, one line each."""
    advice: tuple[Remark, ...]
    knowledge_date: str
    difference: tuple[Deviation, ...] | None = None
    """How the inspected environment differs from the choice; None where none was inspected, or nobody can tell."""
    schema_version: str = SCHEMA_VERSION


@dataclasses.dataclass(frozen=True)
class Planned:
    """A plan, and what of it was asked for."""

    plan: InstallPlan
    check: bool = False
    """Only how what is installed differs."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a plan, generated from the types; docs/plan.schema.json is its copy."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(InstallPlan).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema} | {
        "title": f"cudacheck plan, schema {SCHEMA_VERSION}"
    }

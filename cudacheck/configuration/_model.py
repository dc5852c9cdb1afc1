"""What a configuration file may hold. Imported where there is one: pydantic takes a tenth of a second."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class Ignored(BaseModel):
    """One rule that is left out, why, and until when."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rule: str
    reason: str = Field(min_length=1)
    until: datetime.date | None = None
    """The last day on which it is left out."""


class LintConfiguration(BaseModel):
    """`[tool.cudacheck.lint]`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=_dashed)

    select: list[str] | None = None
    ignore: list[Ignored] = []
    fail_on: Literal["error", "warning", "never"] | None = None
    gpu: str | None = None
    driver: str | None = None
    python: str | None = None
    """A version: recipes are judged for it, and nothing is run."""
    format: str | None = None
    output: list[str] | None = None


class Configuration(BaseModel):
    """`[tool.cudacheck]` of a pyproject.toml, or a whole cudacheck.toml. None: the file says nothing of it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=_dashed)

    require: list[str] = []
    ignore: list[Ignored] = []
    fail_on: Literal["error", "warning", "never"] | None = None
    not_proven: Literal["pass", "fail", "retry"] | None = None
    bench: bool | None = None
    timeout: float | None = Field(default=None, ge=1, le=86400)
    format: str | None = None
    python: str | None = None
    output: list[str] | None = None
    lint: LintConfiguration = LintConfiguration()

"""Loads the packaged TOML files, each once and only when asked."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache
def table(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@lru_cache
def rows(name: str, key: str) -> tuple[dict[str, Any], ...]:
    """The rows under one key of a file, their sources written out."""
    sources = table(name)["sources"]
    return tuple(row | {"source": _written_out(row["source"], sources)} for row in table(name)[key])


def as_of() -> str:
    """The date on which the tables were last checked against what is published, ISO 8601."""
    names = (entry.name for entry in files(__package__).iterdir() if entry.name.endswith(".toml"))
    return max(str(table(name.removesuffix(".toml"))["checked"]) for name in names)


def _written_out(source: str | list[str], sources: dict[str, str]) -> str:
    keys = [source] if isinstance(source, str) else source
    return "; ".join(sources.get(key, key) for key in keys)


@lru_cache
def as_version(text: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: `12.8` → (12, 8)."""
    return tuple(int(number) for number in re.findall(r"\d+", text))

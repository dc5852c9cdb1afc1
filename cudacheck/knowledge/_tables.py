"""Loads the packaged TOML files, each once and only when asked."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache
def table(name: str) -> dict[str, Any]:
    return tomllib.loads(_text(f"{name}.toml"))


def _text(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="utf-8")


@lru_cache
def as_of() -> str:
    """The day on which all tables were last compared with their sources: `2026-11-29`.

    Read from the head of each file: a table takes much longer to load.
    """
    heads = [_text(file.name)[:1000] for file in files(__package__).iterdir() if file.name.endswith(".toml")]
    return min(str(day) for day in re.findall(r'^checked = "([\d-]+)"', "".join(heads), re.MULTILINE))


@lru_cache
def rows(name: str, key: str) -> tuple[dict[str, Any], ...]:
    """The rows under one key of a file, their sources written out."""
    sources = table(name)["sources"]
    return tuple(row | {"source": _written_out(row["source"], sources)} for row in table(name)[key])


def _written_out(source: str | list[str], sources: dict[str, str]) -> str:
    keys = [source] if isinstance(source, str) else source
    return "; ".join(sources.get(key, key) for key in keys)


@lru_cache
def as_version(text: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: `12.8` → (12, 8)."""
    return tuple(int(number) for number in re.findall(r"\d+", text))

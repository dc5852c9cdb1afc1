"""Finds and reads the configuration file. What is wrong in it is one line, with the file and the line in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 20
OWN, SHARED = "cudacheck.toml", "pyproject.toml"
TABLE = ("tool", "cudacheck")


class ConfigurationError(ValueError):
    """What is configured amiss, in one line."""


class File:
    """One file: what it says of cudacheck, and where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = _text(path)
        self.lines = self.text.split("\n")
        try:
            whole: dict[str, Any] = tomllib.loads(self.text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            at = re.search(r"\(at line (\d+)", str(error))
            line = int(at[1]) if at else len(self.lines)  # "at end of document"
            raise ConfigurationError(self._said(line, f"no TOML: {error}")) from None
        self.shared = path.name == SHARED
        self.table: Any = whole
        if self.shared:
            tool = whole.get(TABLE[0], {})
            self.table = tool.get(TABLE[1], {}) if isinstance(tool, dict) else {}

    def says(self, message: str, *way: str | int) -> ConfigurationError:
        """The error at the value that this way of keys and numbers leads to."""
        return ConfigurationError(self._said(self.line(*way), message))

    def place(self, *way: str | int) -> str:
        """`cudacheck.toml:3`"""
        return f"{self.path.name}:{self.line(*way)}"

    def line(self, *way: str | int) -> int:
        """The line of this value, from 1 on; that of what holds it where it has none of its own that is found."""
        at = self._header()
        value = self.table
        for step in way:
            if isinstance(step, str):
                at = self._next(rf"""(^|[\[{{,.])\s*["']?{re.escape(step)}["']?\s*[\].=]""", at)
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
                at = self._item(value, at)
        return at

    def _item(self, value: Any, at: int) -> int:
        """An item is found by a text in it; a table of tables by its headers."""
        text = next((v for v in value.values() if isinstance(v, str)), "") if isinstance(value, dict) else str(value)
        return self._next(re.escape(text), at) if text else at

    def _header(self) -> int:
        return self._next(r"^\s*\[\s*tool\s*\.\s*[\"']?cudacheck", 1) if self.shared else 1

    def _next(self, pattern: str, start: int) -> int:
        """The first line from there on that fits; the start where none does."""
        found = (n for n, line in enumerate(self.lines[start - 1 :], start) if re.search(pattern, line))
        return next(found, start)

    def _said(self, line: int, message: str) -> str:
        return f"{self.path}:{line}: {message}"


def found_from(folder: Path) -> File | None:
    """The nearest file from this folder upwards that says something of cudacheck."""
    for place in (folder, *folder.parents):
        if _is_file(place / OWN):
            return File(place / OWN)
        if _is_file(place / SHARED) and re.search(r"\btool\b.*\bcudacheck\b", _text(place / SHARED), re.DOTALL):
            file = File(place / SHARED)
            if file.table:
                return file
    return None


def named(path: Path) -> File:
    """The file that somebody named, whatever it is called."""
    return File(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8-sig")  # Windows writes a mark in front
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: no UTF-8 at byte {error.start}") from None

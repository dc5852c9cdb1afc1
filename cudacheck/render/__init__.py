"""Shows a report, and decides nothing: one file a format in formats/; of what is no report, in a folder of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cudacheck.model.declared import declared, names_in
from cudacheck.render import formats as _formats  # imported later, it would hide the function of that name


@dataclass(frozen=True)
class Shown:
    """How a report is to be shown; a format heeds what concerns it."""

    verbose: bool = False
    colour: bool = False
    """Only a terminal has some."""
    width: int | None = None
    """Columns; None: the terminal's own, or as wide as reads well."""
    encoding: str = "utf-8"
    """Letters that it lacks are spelled in others."""
    fail_on: str = "error"
    """The least severity that fails, and what "not proven" means: `pass`, `fail` or `retry`."""
    not_proven: str = "pass"


@dataclass(frozen=True, kw_only=True)
class Format:
    """What a module of formats/ declares of itself."""

    render: Callable[[Any, Shown], str]
    """Of a report; in another folder of what that shows."""
    endings: tuple[str, ...]
    """Of files that --output writes in it, `.json`; the first is the usual one."""
    media_type: str
    renamed: bool = False
    """A file of it is put in its place at once: somebody reads it over and over."""
    needs: tuple[str, str] = ("", "")
    """A module that it takes, and the extra of ours that brings it."""


def formats(folder: str = "formats") -> tuple[str, ...]:
    """The names of all formats, without importing one; the usual one first."""
    package = _formats if folder == "formats" else importlib.import_module(f"{__name__}.{folder}")
    return tuple(sorted(names_in(package), key=lambda name: name != "text"))


@lru_cache
def format_of(name: str, folder: str = "formats") -> Format:
    """Raises TypeError where the module declares no FORMAT."""
    return declared(importlib.import_module(f"{__name__}.{folder}.{name}"), "FORMAT", Format)


def endings(folder: str = "formats") -> dict[str, str]:
    """The format's name by the ending of a file, `.json`."""
    return {ending: name for name in formats(folder) for ending in format_of(name, folder).endings}


def as_text(
    what: Any,
    name: str = "text",
    *,
    folder: str = "formats",
    verbose: bool = False,
    colour: bool = False,
    width: int | None = None,
    encoding: str = "utf-8",
    fail_on: str = "error",
    not_proven: str = "pass",
) -> str:
    """A report, or what another folder shows, in the format of this name."""
    return format_of(name, folder).render(what, Shown(verbose, colour, width, encoding, fail_on, not_proven))

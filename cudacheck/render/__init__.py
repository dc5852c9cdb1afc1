"""Shows a report, and decides nothing: one file a format in formats/."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cudacheck.model.declared import declared, names_in
from cudacheck.render import formats as _package

if TYPE_CHECKING:
    from cudacheck.model.report import Report


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


@dataclass(frozen=True, kw_only=True)
class Format:
    """What a module of formats/ declares of itself."""

    render: Callable[[Report, Shown], str]
    endings: tuple[str, ...]
    """Of files that --output writes in it, `.json`; the first is the usual one."""
    media_type: str
    needs: str = ""
    """What it imports beyond what cudacheck always brings; the extra that brings it is called like the format."""


def formats() -> tuple[str, ...]:
    """The names of all formats, without importing one; the usual one first."""
    return tuple(sorted(names_in(_package), key=lambda name: name != "text"))


@lru_cache
def format_of(name: str) -> Format:
    """Raises TypeError where the module declares no FORMAT."""
    return declared(importlib.import_module(f"{_package.__name__}.{name}"), "FORMAT", Format)


def endings() -> dict[str, str]:
    """The format's name by the ending of a file, `.json`."""
    return {ending: name for name in formats() for ending in format_of(name).endings}


def as_text(
    report: Report,
    name: str = "text",
    *,
    verbose: bool = False,
    colour: bool = False,
    width: int | None = None,
    encoding: str = "utf-8",
) -> str:
    """The report in the format of this name."""
    return format_of(name).render(report, Shown(verbose, colour, width, encoding))

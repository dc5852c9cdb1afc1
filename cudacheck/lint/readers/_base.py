"""What all readers share: how a file is handed to one, and what one hands back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from cudacheck.lint.facts import Place, RecipeKind

TOP = Place(1, 1, 1, 1)


@dataclasses.dataclass(frozen=True)
class Unread:
    """A part of a file that could not be read: a note, no fault."""

    reason: str
    place: Place = TOP


@dataclasses.dataclass(frozen=True)
class Context:
    """Where a piece of text comes from."""

    scope: str = ""
    line: int = 0
    """The lines of the file before the text."""
    column: int = 0
    """The columns of the file before each of its lines."""
    building: bool = False
    hosted_runner: str = ""
    path: str = ""
    """The file, where that says what is in it."""
    exact: bool = True
    """False where the file spells the text otherwise (JSON, a quoted argument): columns are near, no edit is made."""
    flat: bool = False
    """The file has the whole text in one line."""
    values: tuple[tuple[str, str], ...] = ()
    """Variables whose value is certain: build arguments with a default."""

    def place(self, line: int, column: int, end_line: int, end_column: int) -> Place:
        """A place of the text (from 1) as one of the file."""
        if self.flat:
            return Place(self.line + 1, self.column + 1, self.line + 1, self.column + 1, exact=False)
        place = Place(line, column, end_line, end_column).shifted(self.line, self.column)
        return place if self.exact else dataclasses.replace(place, exact=False)


def normalised(name: str) -> str:
    """A package's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclasses.dataclass(frozen=True)
class Embedded:
    """A piece of a file in another language: the reader of that kind takes it."""

    kind: RecipeKind
    text: str
    context: Context


Found = list[Any]
"""Facts, Embedded and Unread."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """What a module of readers/ declares of itself."""

    read: Callable[[str, Context], Found]
    kinds: tuple[RecipeKind, ...]

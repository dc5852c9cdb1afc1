"""Notebooks, as JSON: each code cell is Python, with its magics as shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cudacheck.lint.facts import RecipeKind
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader, Unread


def read(text: str, context: Context) -> Found:
    """Every code cell, at the line of the file where its source begins."""
    try:
        cells = json.loads(text).get("cells", [])
    except (ValueError, RecursionError, AttributeError):
        return [Unread("this does not parse as a notebook")]
    return [*_cells(cells if isinstance(cells, list) else [], text.split("\n"), context.path)]


def _cells(cells: list[Any], lines: list[str], path: str) -> Iterator[Embedded]:
    row = 0
    for number, cell in enumerate(cells):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = _source(cell.get("source", ""))
        row, column = _begins(source, lines, row)
        # One line of the file for each of the cell, as Jupyter writes it; else the file has the cell in one.
        flat = isinstance(cell.get("source"), str) or any(
            _spelled(line) not in there for line, there in zip(source.split("\n"), lines[row:], strict=False)
        )
        context = Context(f"cell {number}", row, column, path=path, exact=False, flat=flat)
        shell = source.lstrip().startswith(("%%bash", "%%sh"))
        yield Embedded(RecipeKind.SHELL if shell else RecipeKind.PYTHON, source, context)


def _source(value: Any) -> str:
    return "".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _spelled(line: str) -> str:
    """A line as JSON writes it."""
    return json.dumps(line, ensure_ascii=False)[1:-1]


def _begins(source: str, lines: list[str], row: int) -> tuple[int, int]:
    """The line and the column of the file, from 0, where a cell's first line stands; where it is not found, `row`."""
    first = _spelled(source.partition("\n")[0])
    for number in range(row, len(lines)):
        if first and first in lines[number]:
            return number, lines[number].index(first)
    return min(row, len(lines) - 1), 0


READER = Reader(read=read, kinds=(RecipeKind.NOTEBOOK,))

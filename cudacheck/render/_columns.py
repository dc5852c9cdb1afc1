"""Tables whose rows may hold words instead of numbers, and that leave columns out where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from cudacheck.render._clean import wrapped

GAP = 2
INDENT = "  "


@dataclass(frozen=True)
class Column:
    heading: str
    width: int
    group: str = ""
    """What this column and its neighbours have in common, above the headings."""
    left: bool = False
    rank: int = 0
    """The highest is left out first; 0 never is."""


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Those that there is room for."""
    kept = [*columns]
    while total(kept) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def total(columns: Sequence[Column]) -> int:
    return len(INDENT) + sum(column.width + GAP for column in columns) - GAP


def head(columns: Sequence[Column]) -> Iterator[Text]:
    if any(column.group for column in columns):
        yield _groups(columns)
    yield line(columns, [Text(column.heading) for column in columns], "dim")


def _groups(columns: Sequence[Column]) -> Text:
    """Each name above the first of its columns."""
    text, at, group = INDENT, len(INDENT), ""
    for column in columns:
        if column.group != group:
            group = column.group
            text = f"{text:<{at}}{group}"
        at += column.width + GAP
    return Text(text, "dim")


def title(name: str, about: str, width: int) -> Iterator[Text]:
    """Above a table, after an empty line."""
    yield Text()
    indent = len(INDENT) + len(name) + GAP
    for number, part in enumerate(wrapped(about, width - indent)):
        first = Text(" " * indent) if number else Text.assemble(INDENT, (name, "bold"), " " * GAP)
        yield first.append(part, "dim")


def more(left: int, what: str = "") -> Iterator[Text]:
    """What is not shown, counted."""
    if left > 0:
        yield Text(f"{INDENT}and {left} more{what and ' '}{what}", "dim")


def line(columns: Sequence[Column], cells: Sequence[Text], style: str = "") -> Text:
    """What is too long for its column is cut."""
    made = Text(INDENT, style)
    for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        cell.truncate(column.width, overflow="ellipsis")
        cell.align("left" if column.left else "right", column.width)
        made.append(" " * GAP if number else "")
        made.append_text(cell)
    return made


def instead(columns: Sequence[Column], name: Text, words: str, style: str, width: int) -> Iterator[Text]:
    """The first column, and words where the numbers would be."""
    room = width - columns[0].width - GAP - len(INDENT)
    for number, part in enumerate(wrapped(words, room)):
        first = line(columns[:1], [Text("") if number else name])
        yield Text.assemble(first, " " * GAP, (part, style))

"""Tables whose rows may hold words instead of numbers, and that leave columns out where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from cudacheck.render._clean import hanging

GAP = 2
INDENT = "  "
LEAST_NAME = 10
MOST_GPUS = 16
"""In tables and advice: no machine of ours has more."""


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
    """Those that there is room for; the first made narrower where that is still too wide."""
    return [column for _, column in _fitting(columns, width)]


def _fitting(columns: Sequence[Column], width: int) -> list[tuple[int, Column]]:
    """Each with its place among all of them."""
    kept = [*enumerate(columns)]
    while total(columns) > width and any(column.rank for column in columns):
        kept.remove(max(kept, key=lambda place: place[1].rank))
        columns = [column for _, column in kept]
    too_wide = max(0, total(columns) - width)
    first = replace(columns[0], width=max(LEAST_NAME, columns[0].width - too_wide)) if too_wide else columns[0]
    return [(0, first), *kept[1:]]


def total(columns: Sequence[Column]) -> int:
    return len(INDENT) + sum(column.width + GAP for column in columns) - GAP


def head(columns: Sequence[Column], width: int) -> Iterator[Text]:
    if any(column.group for column in columns):
        yield _groups(fitting(columns, width))
    yield line(columns, [Text(column.heading) for column in columns], width, "dim")


def _groups(columns: Sequence[Column]) -> Text:
    """Each name above the first of its columns."""
    text, at, group = INDENT, len(INDENT), ""
    for column in columns:
        if column.group != group:
            group = column.group
            text = f"{f'{text} ' if group and text.strip() else text:<{at}}{group}"
        at += column.width + GAP
    made = Text(text, "dim")
    made.truncate(total(columns), overflow="ellipsis")
    return made


def title(name: str, about: str, width: int) -> Iterator[Text]:
    """Above a table, after an empty line."""
    yield Text()
    yield from labelled(name, about, width, indent=len(INDENT) + len(name) + GAP, label_style="bold", style="dim")


def labelled(
    label: str, text: object, width: int, *, indent: int, label_style: str = "cyan", style: str = ""
) -> Iterator[Text]:
    """A label and words beside it, or below it on a narrow screen."""
    for before, words in hanging(INDENT + label, text, width, indent):
        yield Text.assemble((before, label_style), (words, style))


def more(left: int, what: str = "") -> Iterator[Text]:
    """What is not shown, counted."""
    if left > 0:
        yield Text(f"{INDENT}and {left} more{what and ' '}{what}", "dim")


def line(columns: Sequence[Column], cells: Sequence[Text], width: int, style: str = "") -> Text:
    """What is too long for its column is cut, what has no room on this screen is left out."""
    made = Text(INDENT, style)
    for number, column in _fitting(columns, width):
        cell = cells[number]
        cell.truncate(column.width, overflow="ellipsis")
        cell.align("left" if column.left else "right", column.width)
        made.append(" " * GAP if number else "")
        made.append_text(cell)
    return made


def instead(columns: Sequence[Column], name: Text, words: str, style: str, width: int) -> Iterator[Text]:
    """The first column, and words where the numbers would be."""
    indent = len(INDENT) + columns[0].width + GAP
    yield from labelled(name.plain, words, width, indent=indent, style=style)

"""Text from strangers, made harmless to a terminal and to its reader; lines of a width; ASCII where need be."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

# Printable by their category, and drawn as nothing (Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties).
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")

# fmt: off
SPELLED = {
    "✓": "ok", "✗": "FAIL", "·": "-", "…": "...", "→": "->", "±": "+-", "×": "x", "÷": "/", "µ": "u", "²": "^2",
    "“": '"', "”": '"', "³": "^3", "▇": "#", "▁": ".", "─": "-", "•": "*", "°": "deg", "‘": "'", "’": "'",
    "🚨": "!",
}
# fmt: on
"""What we write ourselves and quote of programs, in ASCII."""

# A number and its unit, `GPU 0`, what is divided: read as one word.
_TOGETHER = re.compile(
    r"(?<=\d) (?=(?:[mµ]?s|[KMGT]i?B(?:/s)?|TFLOP/s|tokens/s|MHz|W|%|×|tokens?)(?![\w/]))"
    r"|(?<=\bGPU) (?=\d)| (?=÷ )|(?<=÷) "
)

LEAST_ROOM = 24
"""Text in a narrower column is no longer read: it goes below its label."""


def is_harmless(text: str) -> bool:
    """Whether each character is drawn as itself: no control, nothing that hides, reorders or breaks a line."""
    return text.isprintable() and not _INVISIBLE.search(text)


def harmless(text: str) -> str:
    """A line of the same length, with a blank for every harmful character."""
    return text if is_harmless(text) else "".join(one if is_harmless(one) else " " for one in text)


def clean(text: object, limit: int = 2000) -> str:
    """One printable line: what is harmful becomes a blank, and what is endless is cut."""
    whole = str(text)
    line = whole[: 8 * limit]
    if not is_harmless(line):
        line = re.sub("\0+", " ", "".join(one if is_harmless(one) else "\0" for one in line))
    line = line.strip()
    return line if len(line) <= limit and len(whole) <= 8 * limit else f"{line[:limit]} …"


def typed(line: str, limit: int = 8000) -> str:
    """A line to copy, with its indentation: as it is or not at all, for a changed command is another command."""
    line = line.expandtabs(4).rstrip()
    if is_harmless(line) and len(line) <= limit:
        return line
    return "# not shown: this line holds what a terminal cannot; the report as JSON has it whole"


def wrapped(text: object, width: int) -> list[str]:
    """Clean lines of at most that width, broken at blanks alone: a path or a package name stays in one piece."""
    joined = _TOGETHER.sub("\xa0", clean(text))
    lines = textwrap.wrap(joined, max(width, 1), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]


def packed(parts: Iterable[str], width: int) -> list[str]:
    """The same with dots between the parts, each in one line where it fits into one."""
    lines: list[str] = []
    for part in filter(None, parts):
        first, *rest = wrapped(part, width) or [""]
        if lines and not rest and len(lines[-1]) + len(first) + 3 <= width:
            lines[-1] += f" · {first}"
        else:
            lines += [first, *rest]
    return lines


def hanging(label: str, text: object, width: int, indent: int) -> list[tuple[str, str]]:
    """Lines of at most that width as (what stands before, words): a label once, then words below words.

    Where less room than LEAST_ROOM is left beside the label, the words stand below it.
    """
    if width - indent >= LEAST_ROOM or not label:
        lines = wrapped(text, width - indent) or [""]
        return [(f"{'' if number else label:<{indent}}", line) for number, line in enumerate(lines)]
    return [(label.rstrip(), ""), *(("    ", line) for line in wrapped(text, width - 4))]


def passing(text: str, encoding: str, *, colour: bool = False) -> str:
    """What may go out: harmless lines that this encoding can write. Our own colours pass where they are asked for."""
    lines = text.split("\n")
    if colour:
        lines = ["".join(map(_colour_or_harmless, _COLOUR.split(line))) for line in lines]
    elif not all(map(is_harmless, lines)):
        lines = [*map(harmless, lines)]
    return "\n".join(line if encodes(line, encoding) else _spelled(line, encoding) for line in lines)


def _colour_or_harmless(part: str) -> str:
    return part if _COLOUR.fullmatch(part) else harmless(part)


def encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _spelled(line: str, encoding: str) -> str:
    """In what this encoding has: our own signs in ASCII, a stranger's letter as its escape, and never a bare `?`.

    What becomes longer takes its room from the blanks before it, or else after it: columns stay where they are.
    """
    parts = re.split("( {2,})", line)
    for number, part in enumerate(parts):
        ours = "".join(one if encodes(one, encoding) else SPELLED.get(one, one) for one in part)
        parts[number] = ours.encode(encoding, "backslashreplace").decode(encoding)
        longer = len(ours) - len(part)
        for beside in (number - 1, number + 1):
            if longer and 0 < beside < len(parts) - 1 and len(parts[beside]) > longer and (beside > 1 or parts[0]):
                parts[beside] = parts[beside][longer:]
                longer = 0
    return "".join(parts)

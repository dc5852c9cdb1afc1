"""Text from strangers, made harmless to a terminal: a report or a paste may hold escape sequences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

# C0 and C1 controls (ESC among them), and the marks that reorder or hide text.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


# A number and its unit, `GPU 0`, what is divided: read as one word.
_TOGETHER = re.compile(
    r"(?<=\d) (?=(?:[mµ]?s|[KMGT]i?B(?:/s)?|TFLOP/s|tokens/s|MHz|W|%|×|tokens?)(?![\w/]))"
    r"|(?<=\bGPU) (?=\d)| (?=÷ )|(?<=÷) "
)


def clean(text: object, limit: int = 2000) -> str:
    """One printable line: controls become a blank, and what is endless is cut."""
    line = _HARMFUL.sub(" ", str(text)).strip()
    return line if len(line) <= limit else f"{line[:limit]} …"


def wrapped(text: object, width: int) -> list[str]:
    """Clean lines of at most that width, broken at blanks alone: a path or a package name stays in one piece."""
    joined = _TOGETHER.sub("\xa0", clean(text))
    lines = textwrap.wrap(joined, width, break_long_words=False, break_on_hyphens=False)
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

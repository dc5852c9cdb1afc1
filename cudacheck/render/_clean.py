"""Text from strangers, made harmless to a terminal: a report or a paste may hold escape sequences."""

from __future__ import annotations

import re
import textwrap

# C0 and C1 controls (ESC among them), and the marks that reorder or hide text.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def clean(text: object, limit: int = 2000) -> str:
    """One printable line: controls become a blank, and what is endless is cut."""
    line = _HARMFUL.sub(" ", str(text)).strip()
    return line if len(line) <= limit else f"{line[:limit]} …"


def wrapped(text: object, width: int) -> list[str]:
    """Clean lines of at most that width, broken at blanks alone: a path or a package name stays in one piece."""
    return textwrap.wrap(clean(text), width, break_long_words=False, break_on_hyphens=False)

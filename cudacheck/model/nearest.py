"""The known name that a misspelt one most nearly is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, least: float = 0.6) -> str:
    """Empty where it resembles none by at least that ratio (of difflib's), whatever their case.

    >>> nearest("Drivr", ["torch", "driver"])
    'driver'
    """
    names = {one.lower(): one for one in known}
    return next((names[near] for near in difflib.get_close_matches(name.lower(), names, 1, least)), "")


def hint(name: str, known: Iterable[str], *, least: float = 0.6) -> str:
    """What a message of an unknown name ends with, where it resembles one.

    >>> hint("drivr", ["torch", "driver"])
    '; did you mean driver?'
    """
    near = nearest(name, known, least=least)
    return f"; did you mean {near}?" if near else ""

"""The known message that a text most resembles, for one that no rule knows: misspelt, cut off, of another version."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache

from cudacheck.commands._printed import texts
from cudacheck.registry import rules

LENGTH = 4
"""Letters of the pieces that are compared."""
LEAST = 0.6
"""Of the weight of the shorter of two texts, that both must share; a piece weighs more the fewer messages have it."""
FEWEST = 16
"""Pieces of a text that says anything."""
MOST_LETTERS = 4000


def nearest(text: str) -> tuple[str, str] | None:
    """The rule and the message that some line resembles most; None where none resembles any by `LEAST`."""
    known, weights = _known()
    best, found = LEAST, None
    for line in map(_pieces, text[:MOST_LETTERS].splitlines()):
        if len(line) < FEWEST:
            continue
        for rule, message, pieces in known:
            whole = min(_weight(line, weights), _weight(pieces, weights))
            if (alike := _weight(line & pieces, weights) / whole) > best:
                best, found = alike, (rule, message)
    return found


@lru_cache
def _known() -> tuple[list[tuple[str, str, frozenset[str]]], dict[str, float]]:
    """Every message with its rule and its pieces, and how much a piece tells."""
    told = [(rule.id, text, _pieces(text)) for rule in rules() for text in texts(rule)]
    known = [one for one in told if len(one[2]) >= FEWEST]
    counts = Counter(piece for *_, pieces in known for piece in pieces)
    return known, {piece: math.log(len(known) / count) for piece, count in counts.items()}


def _pieces(text: str) -> frozenset[str]:
    words = re.sub(r"\d+", "0", " ".join(text.lower().split()))
    return frozenset(words[at : at + LENGTH] for at in range(len(words) - LENGTH + 1))


def _weight(pieces: frozenset[str], weights: dict[str, float]) -> float:
    return sum(weights.get(piece, 6.0) for piece in pieces)

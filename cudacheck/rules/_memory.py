"""What the figures of PyTorch's "out of memory" tell: whether others hold the GPU's memory."""

from __future__ import annotations

import re
from typing import NamedTuple

GIB = 1 << 30
LEAST = 1 * GIB
SHARE_IN_MESSAGE = 0.25
SHARE_BESIDE_BLOCKS = 0.5
"""Where only PyTorch's own blocks are told: other libraries of the same process may hold a good deal besides."""
OUT_OF_MEMORY = r"CUDA out of memory\.[\s\S]{0,800}?total capac[\s\S]{0,300}?free"
"""The error with its figures."""


SHARE_NOT_COUNTED = 0.25
"""Of all: what a process may hold besides PyTorch's blocks (its context, other libraries), where it does not say."""


class Figures(NamedTuple):
    total: float
    """Bytes."""
    held: float
    """Bytes that others hold, as far as the figures go."""
    by_others: bool = True
    """Whether all that this process holds was told, and not PyTorch's blocks alone."""


def is_held(told: Figures) -> bool:
    """Whether of this much in all others hold so much that it matters."""
    share = SHARE_IN_MESSAGE if told.by_others else SHARE_BESIDE_BLOCKS
    return told.held >= max(LEAST, share * told.total)


def at_start(match: re.Match[str]) -> Figures | None:
    """The same of a message that names what is free of all, said before the program took anything itself."""
    named = match.groupdict()
    if "free" not in named:
        return None
    total = float(named["total"]) * GIB
    return Figures(total, total - float(named["free"]) * GIB)


def figures(text: str) -> Figures | None:
    """Of PyTorch's two wordings of the error; None where it gives none."""
    text = " ".join(text.split())
    total = _bytes(r"total capac(?:i)?ty of (SIZE)", text) or _bytes(r"(SIZE) total capacity", text)
    free = _bytes(r"of which (SIZE) is free", text) or _bytes(r"(SIZE) free", text)
    if total is None or free is None:
        return None
    own = _bytes(r"this process has (SIZE) memory in use", text)
    if own is not None and own <= total:  # in containers PyTorch prints 17179869184 GiB here
        return Figures(total, total - free - own)
    blocks = _blocks(text)
    return None if blocks is None else Figures(total, total - free - blocks, by_others=False)


def _blocks(text: str) -> float | None:
    """What PyTorch took for its tensors; None where the text ends before it says so."""
    allocated = _bytes(r"(SIZE) is allocated by PyTorch", text) or _bytes(r"(SIZE) already allocated", text)
    unused = _bytes(r"(SIZE) is reserved by PyTorch but unallocated", text) or 0
    reserved = _bytes(r"(SIZE) (?:reserved in total by PyTorch|cached)", text)
    if allocated is None and reserved is None:
        return None
    return max((allocated or 0) + unused, reserved or 0)


def _bytes(pattern: str, text: str) -> float | None:
    found = re.search(pattern.replace("SIZE", r"\d+(?:\.\d+)?\s[KMG]iB"), text)
    if not found:
        return None
    number, unit = found[1].split()
    return float(number) * {"K": 1 << 10, "M": 1 << 20, "G": GIB}[unit[0]]

"""Whether two names that programs print are those of one GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable


def agree(one: str | None, other: str | None) -> bool:
    """The table cuts long names; before 465 the driver left `NVIDIA` out.

    >>> agree("Tesla V100-SXM2...", "NVIDIA Tesla V100-SXM2-16GB")
    True
    """
    short, long = sorted((_bare(one), _bare(other)), key=len)
    return long.startswith(short)


def known(name: str, names: Iterable[str]) -> bool:
    return any(agree(name, other) for other in names)


def may_be(said: str, printed: str) -> bool:
    """Whether a name that somebody gives may be of this GPU: people leave out the brand, and what comes behind.

    >>> may_be("NVIDIA T4", "Tesla T4"), may_be("NVIDIA RTX 3090", "NVIDIA GeForce RTX 3090 Ti"), may_be("T4", "T400")
    (True, True, False)
    """
    model = next((word for word in said.split() if re.search(r"\d", word)), said)
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(model)}(?![A-Za-z0-9])", printed, re.IGNORECASE) is not None


def _bare(name: str | None) -> str:
    return (name or "").lower().removeprefix("nvidia ").rstrip(". ")

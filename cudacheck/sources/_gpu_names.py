"""Whether two names that programs print are those of one GPU."""

from __future__ import annotations

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


def _bare(name: str | None) -> str:
    return (name or "").lower().removeprefix("nvidia ").rstrip(". ")

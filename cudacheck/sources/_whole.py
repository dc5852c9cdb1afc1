"""A parser's word that it saw a whole list: then what is not in it is not there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Whole:
    """Yielded beside facts: the paste holds all facts of this type, be it none."""

    fact_type: type

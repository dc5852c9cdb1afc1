"""What a module of sources/ declares of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of paste, read into facts."""

    facts: Callable[[Sequence[str]], Iterator[object]]
    """Takes the lines of a text, which may hold anything else too."""
    trust: int
    """The higher is believed where two say different things: what asks the driver before what repeats it."""

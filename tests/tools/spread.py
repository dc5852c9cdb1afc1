"""Many numbered inputs, spread over processes: what each is hangs on its number, so N processes find what one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TypeVar

Found = TypeVar("Found")


def spread(
    work: Callable[[Iterable[int]], Iterator[Found]], count: int, jobs: int, *, at_once: int = 250
) -> Iterator[Found]:
    """What `work` finds in the inputs 0 to count, in their order; a process takes some of them at once.

    Raises BrokenProcessPool where a process dies.
    """
    parts = [range(start, min(start + at_once, count)) for start in range(0, count, at_once)]
    if jobs == 1:
        yield from (found for part in parts for found in work(part))
        return
    with ProcessPoolExecutor(jobs) as pool:
        for all_found in pool.map(partial(_all, work), parts):
            yield from all_found


def _all(work: Callable[[Iterable[int]], Iterator[Found]], numbers: Iterable[int]) -> list[Found]:
    return [*work(numbers)]

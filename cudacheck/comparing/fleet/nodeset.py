"""Lists of nodes as clusters write them: `n[001-128],login1`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MOST_NODES = 1_000_000
"""Of one list: nobody has more, and `n[0-999999999]` is quickly written."""

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)$", re.DOTALL)
_BRACKETS = re.compile(r"\[([\d,-]+)\]")
_SEPARATORS = re.compile(r"[\s,]+(?![^\[]*\])")
_LONGEST_NUMBER = 18


class NodesetError(ValueError):
    """A list of nodes that cannot be read; the words say why, in one line."""


def folded(nodes: Iterable[str]) -> str:
    """In order, consecutive numbers of the same width as a range.

    >>> folded(["n003", "n001", "n002", "login", "n10"])
    'login,n10,n[001-003]'
    """
    numbers: dict[tuple[str, str, int], list[int]] = {}
    plain = set()
    for node in nodes:
        match = _LAST_NUMBER.match(node)
        if match is None or len(match[2]) > _LONGEST_NUMBER:
            plain.add(node)
        else:
            # Numbers without leading zeros are of one width, however many digits they have.
            width = len(match[2]) if match[2].startswith("0") and len(match[2]) > 1 else 0
            numbers.setdefault((match[1], match[3], width), []).append(int(match[2]))
    whole = [_folded(*key, sorted(set(found))) for key, found in _padded(numbers).items()]
    return ",".join(sorted([*plain, *whole]))


def _padded(numbers: dict[tuple[str, str, int], list[int]]) -> dict[tuple[str, str, int], list[int]]:
    """`n100` is of the width of `n099`."""
    for (before, after, width), found in [*numbers.items()]:
        bare = numbers.get((before, after, 0))
        if width and bare:
            found += [number for number in bare if len(str(number)) == width]
            numbers[before, after, 0] = [number for number in bare if len(str(number)) != width]
    return {key: found for key, found in numbers.items() if found}


def _folded(before: str, after: str, width: int, numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    spelled = [[f"{number:0{width}}" for number in (run[0], run[-1])] for run in runs]
    if len(numbers) == 1:
        return f"{before}{spelled[0][0]}{after}"
    parts = [first if len(run) == 1 else f"{first}-{last}" for run, (first, last) in zip(runs, spelled, strict=True)]
    return f"{before}[{','.join(parts)}]{after}"


def unfolded(text: str) -> list[str]:
    """Every node of a list with commas, blanks or lines between, each once; what follows a # is left out.

    >>> unfolded("n[001-003,7] login  # the head")
    ['n001', 'n002', 'n003', 'n7', 'login']

    Raises NodesetError.
    """
    found: dict[str, None] = {}
    for line in text.splitlines():
        for word in _SEPARATORS.split(line.partition("#")[0].strip()):
            for node in _unfolded(word) if word else ():
                found[node] = None
                if len(found) > MOST_NODES:
                    raise NodesetError(f"a list of more than {MOST_NODES:,} nodes")
    return [*found]


def _unfolded(word: str) -> Iterator[str]:
    match = _BRACKETS.search(word)
    if match is None:
        if "[" in word or "]" in word:
            raise NodesetError(f"not a list of nodes: {word[:80]!r}")
        yield word
        return
    for part in match[1].split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or len(first + last) > 2 * _LONGEST_NUMBER:
            raise NodesetError(f"not a range of nodes: {part[:80]!r}")
        for number in range(int(first), int(last or first) + 1):
            yield from _unfolded(f"{word[: match.start()]}{number:0{len(first)}}{word[match.end() :]}")

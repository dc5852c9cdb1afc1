"""Finds what software said when it failed: every message that a rule knows, wrapped or not; others are left out."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from cudacheck.judging import MAX_MESSAGE
from cudacheck.probes.messages import ErrorMessage

MAX_FOUND = 200
MAX_SEARCHED = 128 * 1024
"""Characters at either end of a paste that are searched: a log begins and ends with what matters."""
MAX_LINE = 1000
OVERLAP = 3
"""Lines; no message that a rule knows has more, less one."""
MAX_WORD = 400
"""Longer runs without a space are no message but base64 or minified code, and slow for regular expressions."""

_LONG_WORD = re.compile(rf"(\S{{{MAX_WORD}}})\S+")
_WRAPPED = 60
"""A shorter line was not broken by a terminal or a mail program."""
_FRESH = re.compile(
    r"\s*(?:[\[+|=#{(<$]|--|File \"|Traceback|\d{4}-\d\d|[\w.]{1,60}(?:Error|Warning|Exception)\b"
    r"|[\w. -]{1,40}: |\S+==|$)"
)
"""Begins something new, so the line before it was not broken there."""
_EXCEPTION = re.compile(r"(?:^|\s)[\w.]{0,80}(?:Error|Exception): \S.{0,200}")
_ABOUT_CUDA = re.compile(r"cuda|torch|nvidia|nvml|gpu|cudnn|cublas|nccl|flash|\.so\b|\.dll\b", re.IGNORECASE)

Lines = Mapping[int, str]
"""Line number → what of the line is searched."""
Found = tuple[int, int, str]
"""First and last line number, and the message."""


@lru_cache
def known() -> tuple[re.Pattern[str], ...]:
    """What the rules listen for."""
    from cudacheck.registry import rules

    return tuple(map(re.compile, dict.fromkeys(pattern for rule in rules() for pattern in rule.messages)))


def facts(lines: Sequence[str], name: str = "paste") -> Iterator[ErrorMessage]:
    """Each message once, with the lines that hold it.

    >>> for said in facts(["$ nvidia-smi", "Failed to initialize NVML: Driver/library version mismatch"], "log.txt"):
    ...     print(said.found_in)
    log.txt line 2
    """
    searched = _both_ends(lines)
    whole = list(_whole(searched))
    taken = {number for first, last, _ in whole for number in range(first, last)}
    broken = [found for found in _broken(searched) if found[0] not in taken]
    said: dict[str, int] = {}
    for first, _, text in sorted([*whole, *broken]):
        said.setdefault(text.strip(), first)
    for text, first in itertools.islice(said.items(), MAX_FOUND):
        yield ErrorMessage(text, f"{name} line {first + 1}")


def unknown(lines: Sequence[str]) -> str | None:
    """An exception about CUDA or PyTorch, to be named where no rule knows it; None where there is none."""
    for line in _both_ends(lines).values():
        match = _EXCEPTION.search(line)
        if match and _ABOUT_CUDA.search(line):
            return match.group().strip()[:120]
    return None


def _both_ends(lines: Sequence[str]) -> dict[int, str]:
    head = _up_to_budget(lines, range(len(lines)))
    tail = _up_to_budget(lines, range(len(lines) - 1, len(head) - 1, -1))
    return head | dict(reversed(tail.items()))


def _up_to_budget(lines: Sequence[str], numbers: range) -> dict[int, str]:
    sizes = itertools.accumulate(len(lines[number]) + 1 for number in numbers)
    return {
        number: _LONG_WORD.sub(r"\1", lines[number][: 4 * MAX_LINE])[:MAX_LINE]
        for number, size in zip(numbers, sizes, strict=True)
        if size <= MAX_SEARCHED
    }


def _whole(searched: Lines) -> Iterator[Found]:
    """Messages as they were printed; one that a rule expects on several lines has several."""
    numbers, texts = list(searched), list(searched.values())
    spans = {(first, last) for first, last, _, _ in _spans(texts)}
    for first, last in _united(sorted(spans)):
        yield numbers[first], numbers[last], "\n".join(texts[first : last + 1])


def _broken(searched: Lines) -> Iterator[Found]:
    """Messages that a terminal or a mail program broke, after a word or within one."""
    ends = {
        number: searched[number + 1].lstrip()
        for number, line in searched.items()
        if len(line) >= _WRAPPED and number + 1 in searched and not _FRESH.match(searched[number + 1])
    }
    for gap in (" ", ""):
        numbers, texts = list(ends), [f"{searched[number]}{gap}{end}" for number, end in ends.items()]
        for first, last, start, end in _spans(texts):
            if first == last and start < len(searched[numbers[first]]) < end:
                yield numbers[first], numbers[first] + 1, texts[first]


def _spans(texts: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where the messages are: in which texts they begin and end, and at which characters of those."""
    for offset, end in _windows([len(text) + 1 for text in texts]):
        window = texts[offset:end]
        starts = list(itertools.accumulate((len(text) + 1 for text in window), initial=0))
        joined = "\n".join(window)
        for pattern in known():
            for match in itertools.islice(pattern.finditer(joined), MAX_FOUND):
                if match.group().strip():
                    first = bisect.bisect_right(starts, match.start()) - 1
                    last = bisect.bisect_right(starts, match.end() - 1) - 1
                    yield offset + first, offset + last, match.start() - starts[first], match.end() - starts[last]


def _windows(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pieces of twice the length a message may have, so that no pattern runs over a whole log; each begins in the one before."""
    begin, total = 0, 0
    for number, size in enumerate(sizes):
        if total + size > 2 * MAX_MESSAGE and number > begin:
            yield begin, number
            begin = max(begin + 1, number - OVERLAP)
            total = sum(sizes[begin:number])
        total += size
    if begin < len(sizes):
        yield begin, len(sizes)


def _united(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that share a line made one."""
    united: list[tuple[int, int]] = []
    for first, last in spans:
        if united and first <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], last)
        else:
            united.append((first, last))
    return united

"""Finds what software said when it failed: every message that a rule knows, wrapped or not; others are left out."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from cudacheck import registry
from cudacheck.probes.messages import LONGEST, ErrorMessage

MAX_FOUND = 200
MAX_SEARCHED = 128 * 1024
"""Characters at either end of a paste that are searched: a log begins and ends with what matters."""
MAX_LINE = 1000
MAX_WORD = 400
"""Longer runs without a space are no message but base64 or minified code, and slow for regular expressions."""
OVERLAP = 3
"""Lines that two pieces share, so that a message on several lines is whole in one of them."""
CHAIN = 10
"""Lines that one message may have been broken into."""
BY_WIDTH = "by width"
"""Between the lines of a broken message: nothing after a line that fills the width, whose last word may go on, else a
space."""

_LONG_WORD = re.compile(rf"(\S{{{MAX_WORD}}})\S+")
_WIDTHS = range(60, 250)
"""Where terminals and mail programs break lines."""
_FRESH = re.compile(
    r"\s*(?:[\[+|=#{(<$]|--|File \"|Traceback|\d{4}-\d\d|[\w.]{1,60}(?:Error|Warning|Exception)\b|\S+==|$)"
)
"""Begins something new, so the line before it was not broken there."""
_KEY = re.compile(r"\s*[\w. -]{1,40}: ")
"""Begins something new in a list of keys and values; but `symbol: _ZN3c10…` is the rest of a broken line."""
_EXCEPTION = re.compile(
    r"(?:^|\s)(?:[\w.]{0,80}(?:Error|Exception)|NVRM|nvidia-ctk|nvidia-container-\w{1,20}|(?:nvcc|ptxas) fatal\s{0,8})"
    r": \S.{0,200}"
)
_STATUS = re.compile(
    r"\b(?:(?:CUDA_ERROR|CUDNN_STATUS|CUBLAS_STATUS|NVML_ERROR)_[A-Z_]{3,60}|cudaError[A-Z]\w{2,60})\b"
)
"""What CUDA's libraries call their errors, in whatever a program says around it."""
_ABOUT_CUDA = re.compile(
    r"cuda|torch|nvidia|nvml|nvrm|nvcc|ptxas|gpu|cudnn|cublas|nccl|flash|\.so\b|\.dll\b", re.IGNORECASE
)

Span = tuple[int, int]
"""The first and the last line of a message."""


def facts(lines: Sequence[str], name: str = "paste") -> Iterator[ErrorMessage]:
    """Each message once, with the lines that hold it.

    >>> for said in facts(["$ nvidia-smi", "Failed to initialize NVML: Driver/library version mismatch"], "log.txt"):
    ...     print(said.found_in)
    log.txt line 2
    """
    searched = _both_ends(lines)
    said: dict[str, int] = {}
    for (first, last), gap in sorted(_found(searched)):
        said.setdefault("".join(_with_gaps(searched, range(first, last + 1), gap)).strip(), first)
    for text, first in itertools.islice(said.items(), MAX_FOUND):
        yield ErrorMessage(text, f"{name} line {first + 1}")


def unknown(lines: Sequence[str], name: str = "paste") -> Iterator[ErrorMessage]:
    """The first exception, or words of NVIDIA's own programs, about CUDA or PyTorch: named where no rule knows it."""
    for number, line in _both_ends(lines).items():
        match = _EXCEPTION.search(line) or _STATUS.search(line)
        if match and _ABOUT_CUDA.search(line):
            yield ErrorMessage(match.group().strip()[:120], f"{name} line {number + 1}")
            return


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


def _found(searched: Mapping[int, str]) -> set[tuple[Span, str]]:
    """Where messages are, and what to put between their lines: a message that was broken is put together again."""
    printed = {span for piece in _pieces(searched) for span in _matches(searched, piece, "\n")}
    found = [(span, "\n") for span in _united(sorted(printed))]
    begun = {first for (first, _), _ in found}
    known_already, joined = set(printed), list[tuple[Span, str]]()
    for gap in (" ", "", BY_WIDTH):
        broken = {span for chain in _chains(searched) for span in _matches(searched, chain, gap) if span[0] < span[1]}
        united = [(span, gap) for span in _united(sorted(broken - known_already))]
        # a piece of it that was put together otherwise begins or ends within a word
        joined = [one for one in joined if gap != BY_WIDTH or not _is_within(one[0], united)] + united
        known_already |= broken
    # `undefined symbol: _ZN…` without its library's name is but a piece of a broken message
    whole = [(span, gap) for span, gap in found if not _is_line_of(span, joined)] + joined
    return {((first, _end_of(searched, last, begun)), gap) for (first, last), gap in whole}


def _is_within(span: Span, others: Sequence[tuple[Span, str]]) -> bool:
    return any(first <= span[0] and span[1] <= last and (first, last) != span for (first, last), _ in others)


def _is_line_of(span: Span, joined: Sequence[tuple[Span, str]]) -> bool:
    return span[0] == span[1] and any(first <= span[0] <= last for (first, last), _ in joined)


def _matches(searched: Mapping[int, str], piece: range, gap: str) -> Iterator[Span]:
    """The lines of every message in a piece, its lines joined by a gap."""
    lines = _with_gaps(searched, piece, gap)
    starts = list(itertools.accumulate(map(len, lines), initial=0))
    joined = "".join(lines)
    for pattern in registry.messages():
        for match in itertools.islice(pattern.finditer(joined), MAX_FOUND):
            if match.group().strip():
                first = bisect.bisect_right(starts, match.start()) - 1
                last = bisect.bisect_right(starts, match.end() - 1) - 1
                yield piece[first], piece[min(last, len(piece) - 1)]


def _with_gaps(searched: Mapping[int, str], piece: range, gap: str) -> list[str]:
    """The lines of a piece, each with what is to stand between it and the next; broken ones without their margin."""
    whole = [searched[number] for number in piece]
    lines = whole if gap == "\n" else [line.lstrip() for line in whole]
    width = max(map(len, whole))
    gaps = ["" if len(line) == width else " " for line in whole] if gap == BY_WIDTH else [gap] * len(lines)
    return [line + between for line, between in zip(lines, [*gaps[:-1], ""], strict=True)]


def _pieces(searched: Mapping[int, str]) -> Iterator[range]:
    """Runs of lines twice as long as a message may be, so that no pattern runs over a whole log."""
    begin, size, before = 0, 0, -1
    for number, line in searched.items():
        if number != before + 1 or size + len(line) > 2 * LONGEST:
            if before >= begin:
                yield range(begin, before + 1)
            begin = number if number != before + 1 else max(begin + 1, number - OVERLAP)
            size = sum(len(searched[n]) + 1 for n in range(begin, number))
        size += len(line) + 1
        before = number
    if before >= begin:
        yield range(begin, before + 1)


def _chains(searched: Mapping[int, str]) -> Iterator[range]:
    """Runs of lines each of which may go on in the next; long runs in pieces that overlap by half."""
    begin = None
    for number in searched:
        goes_on = _goes_on(searched, number)
        if goes_on and begin is None:
            begin = number
        if begin is not None and (not goes_on or number - begin == CHAIN):
            yield range(begin, number + 1)
            begin = number - CHAIN // 2 if goes_on else None


def _goes_on(searched: Mapping[int, str], number: int) -> bool:
    """Whether a line may have been broken at its end: the next word had no room."""
    following = searched.get(number + 1)
    if following is None or not searched[number] or _FRESH.match(following):
        return False
    word = following.split(maxsplit=1)[0]
    return len(searched[number]) < _WIDTHS.stop and len(searched[number]) + 1 + len(word) > _WIDTHS.start


def _end_of(searched: Mapping[int, str], last: int, begun: Collection[int]) -> int:
    """Where a message really ends that a terminal broke after the part that a rule knows."""
    end = last
    while end - last < CHAIN and end + 1 not in begun and _is_full(searched, end):
        end += 1
    return end


def _is_full(searched: Mapping[int, str], number: int) -> bool:
    """Whether a line goes on for sure: it fills its width, and no new key comes after it."""
    full = len(searched[number]) >= _WIDTHS.start and _goes_on(searched, number)
    return full and not _KEY.match(searched[number + 1])


def _united(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, those that share a line made one."""
    united: list[Span] = []
    for first, last in spans:
        if united and first <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], last)
        else:
            united.append((first, last))
    return united

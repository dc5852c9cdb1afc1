"""What there is to read: reports in files, folders, patterns and streams, one after the other, never all at once."""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cudacheck.commands.doctor import GZIP, InputError
from cudacheck.reports.read import MAX_BYTES, ReportError

FILES = (".json", ".json.gz")
LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
LONGEST_LABEL = 400
"""What gathers lines may say before each whose it is: `n07: `, `[pod/NAME/CONTAINER] `, a time."""
TOO_LARGE = f"larger than {MAX_BYTES // 1024 // 1024} MiB: not a cudacheck report"


@dataclass(frozen=True)
class Text:
    """A report to be read."""

    source: str
    """Its file, or the line of one."""
    name: str
    """What the node is called where the report does not say."""
    data: bytes | None = None
    """None: the file's."""
    why_not: str = ""
    """Why it cannot be read, where that is known."""


def texts(sources: Iterable[str]) -> Iterator[Text]:
    for source in sources:
        for name in _named(source):
            yield from _texts_of(name)


def _named(source: str) -> Iterable[str]:
    """What a source stands for: itself, a folder's reports, what a pattern matches."""
    if source == "-":
        return [source]
    try:
        if Path(source).is_dir():
            with os.scandir(source) as entries:
                found = sorted(entry.path for entry in entries if not entry.name.startswith("."))
            return [name for name in found if name.endswith(FILES + LINES)]
        if glob.has_magic(source) and not Path(source).exists():
            return sorted(glob.glob(source, recursive=True)) or [source]  # noqa: PTH207 - from the root, too
    except OSError:  # a name that is too long: reading it says so
        pass
    return [source]


def _texts_of(name: str) -> Iterator[Text]:
    if name != "-" and not name.endswith(LINES):
        yield Text(name, Path(name).name.removesuffix(".gz").removesuffix(".json"))
        return
    try:
        if name == "-":
            if sys.stdin is None:
                raise InputError("standard input is closed")
            yield from _documents(sys.stdin.buffer, "standard input")
        else:
            with gzip.open(name) if name.endswith(".gz") else Path(name).open("rb") as stream:
                yield from _documents(stream, name)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        yield Text(name, name, why_not=_why(error))


def _documents(stream: BinaryIO, name: str) -> Iterator[Text]:
    """A report a line; or, between a line `{` and a line `}`, one over many lines, as a report is saved."""
    parts: list[bytes] = []
    size = begun = 0
    for number, line in enumerate(_lines(stream), 1):
        bare = line.strip()
        if not parts and bare == b"{":
            parts, size, begun = [line], len(line), number
        elif parts:
            size += len(line)
            parts.append(line if size <= MAX_BYTES else b"")
            if line.rstrip() == b"}":
                yield _document(name, begun, b"".join(parts), too_large=size > MAX_BYTES)
                parts = []
        elif bare:
            yield _document(name, number, bare, too_large=len(line) > MAX_BYTES)
    if parts:
        yield _document(name, begun, b"".join(parts), too_large=size > MAX_BYTES)


def _document(name: str, line: int, data: bytes, *, too_large: bool) -> Text:
    source = f"{name}:{line}"
    if too_large:
        return Text(source, source, why_not=TOO_LARGE)
    before, brace, object_ = data.partition(b"{")
    if len(before) > LONGEST_LABEL or not object_.rstrip().endswith(b"}"):
        return Text(source, source, why_not=f"not a report: {data[:100].decode('utf-8', 'replace')!r}")
    return Text(source, source, brace + object_)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each with its end; one that is too long is cut, and is too long by one byte then."""
    while line := stream.readline(MAX_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n") and len(line) > MAX_BYTES:
            rest = stream.readline(MAX_BYTES)
        yield line


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "no whole gzip file"


def content(text: Text) -> str:
    """Raises ReportError."""
    if text.why_not:
        raise ReportError(text.why_not)
    try:
        data = text.data if text.data is not None else read_file(text.source)
    except (OSError, EOFError, zlib.error) as error:
        raise ReportError(f"cannot be read: {_why(error)}") from None
    if not data.strip():
        raise ReportError("empty")
    return data.decode("utf-8-sig", "replace")


def read_file(name: str, most: int = MAX_BYTES) -> bytes:
    """Unpacked where it is gzip, and no more than one byte above what it may have."""
    with Path(name).open("rb") as file:
        data = file.read(most + 1)
    if data[:2] == GZIP:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            data = unpacked.read(most + 1)
    if len(data) > most:
        raise ReportError(f"larger than {most // 1024 // 1024} MiB")
    return data

"""Reads what a shared object tells the loader, out of a memory-mapped 64-bit little-endian ELF file.

Nothing is trusted: every offset is checked against the file and every loop is bounded, so that a truncated or
garbage file raises ValueError and nothing worse. Layouts: elf(5).
"""

from __future__ import annotations

import mmap
import struct
from typing import Any, Iterator, Pattern

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_VERNEED = 0x6FFFFFFE
_MOST_DYNAMIC_ENTRIES = 4096
_MOST_VERSIONS = 4096
_INSIDE_TEXT = {b" ", b"_", b"-", b".", b"/", b","}


class Elf:
    """One open shared object; use it in a `with` block.

    Raises ValueError for what is no such file, OSError for what cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._read_headers()
        except ValueError:
            self.close()
            raise

    def __enter__(self) -> Elf:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.data.close()

    @property
    def soname(self) -> str | None:
        return next(self._dynamic_strings(_DT_SONAME), None)

    @property
    def needed(self) -> tuple[str, ...]:
        return tuple(self._dynamic_strings(_DT_NEEDED))

    @property
    def rpath(self) -> tuple[str, ...]:
        """Folders searched before LD_LIBRARY_PATH, `$ORIGIN` not replaced; a RUNPATH switches them off (ld.so(8))."""
        return () if self.entry(_DT_RUNPATH) is not None else self._folders(_DT_RPATH)

    @property
    def runpath(self) -> tuple[str, ...]:
        """Folders searched after LD_LIBRARY_PATH."""
        return self._folders(_DT_RUNPATH)

    def version_needs(self) -> list[str]:
        """Every symbol version it asks of other libraries: `GLIBC_2.14`, `GLIBCXX_3.4.21`."""
        found: list[str] = []
        need = self.entry(_DT_VERNEED)
        while need is not None and len(found) < _MOST_VERSIONS:
            at = self.offset(need)
            _, count, _, first, following = self.unpack("<HHIII", at)
            at += first
            for _ in range(min(count, _MOST_VERSIONS)):
                _, _, _, name, next_version = self.unpack("<IHHII", at)
                found.append(self.name(name).decode("utf-8", "replace"))
                at += next_version
            # Each points further on, so that this ends.
            need = need + following if following and count else None
        return found

    def section(self, wanted: str) -> tuple[int, int] | None:
        """Where a section lies in `data`, its start and end; None where there is none (they may be stripped)."""
        if self._section_names >= len(self.sections):
            return None
        names = self.sections[self._section_names][2]
        for name, _, start, size in self.sections:
            at = names + name
            if self.data[at : at + len(wanted) + 1] == wanted.encode() + b"\0":
                return min(start, len(self.data)), min(start + size, len(self.data))
        return None

    def entry(self, tag: int) -> int | None:
        """The first value of this tag in the dynamic section."""
        return self._dynamic[tag][0] if tag in self._dynamic else None

    def table(self, tag: int) -> int:
        """The offset of the table that this dynamic entry points to."""
        address = self.entry(tag)
        if address is None:
            raise ValueError("%s: no dynamic entry %#x" % (self.path, tag))
        return self.offset(address)

    def offset(self, address: int) -> int:
        """Where in the file a virtual address lies; patchelf moves tables to segments of their own."""
        for start, offset, size in self._loads:
            if start <= address < start + size:
                return address - start + offset
        raise ValueError("%s: address %#x is in no segment" % (self.path, address))

    def unpack(self, layout: str, at: int) -> tuple[Any, ...]:
        try:
            return struct.unpack_from(layout, self.data, at)
        except (struct.error, OverflowError) as error:
            raise ValueError("%s: truncated: %s" % (self.path, error)) from None

    def name(self, at: int) -> bytes:
        """The string at this place of the string table."""
        start = self.strings + at
        end = self.data.find(b"\0", start, self._strings_end) if start < self._strings_end else -1
        if end < 0:
            raise ValueError("%s: a name outside the string table" % self.path)
        return self.data[start:end]

    def _read_headers(self) -> None:
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("%s: not a 64-bit little-endian ELF file" % self.path)
        programs, sections = self.unpack("<QQ", 32)
        program_size, program_count, section_size, section_count, self._section_names = self.unpack("<5H", 54)
        self._loads: list[tuple[int, int, int]] = []
        dynamic = None
        for index in range(program_count):
            kind, offset, address, size = self.unpack("<I4xQQ8xQ", programs + index * program_size)
            if kind == _PT_LOAD:
                self._loads.append((address, offset, size))
            elif kind == _PT_DYNAMIC:
                dynamic = offset
        if dynamic is None:
            raise ValueError("%s: not a shared object" % self.path)
        self.sections = self._read_sections(sections, section_size, section_count)
        self._dynamic = self._read_dynamic(dynamic)
        self.strings = self.table(_DT_STRTAB)
        self._strings_end = min(len(self.data), self.strings + (self.entry(_DT_STRSZ) or 0))

    def _read_sections(self, table: int, size: int, count: int) -> list[tuple[int, int, int, int]]:
        """(name, type, offset, size) of each; none where the table is cut off: the loader needs none either."""
        found = []
        for index in range(count):
            try:
                name, kind, offset, length = self.unpack("<II16xQQ", table + index * size)
            except ValueError:
                return []
            found.append((name, kind, offset, length))
        return found

    def _read_dynamic(self, at: int) -> dict[int, list[int]]:
        entries: dict[int, list[int]] = {}
        for index in range(_MOST_DYNAMIC_ENTRIES):
            tag, value = self.unpack("<QQ", at + index * 16)
            if tag == 0:
                break
            entries.setdefault(tag, []).append(value)
        return entries

    def _dynamic_strings(self, tag: int) -> Iterator[str]:
        for at in self._dynamic.get(tag, ()):
            yield self.name(at).decode("utf-8", "surrogateescape")

    def _folders(self, tag: int) -> tuple[str, ...]:
        return tuple(folder for text in self._dynamic_strings(tag) for folder in text.split(":") if folder)


def c_strings(path: str, pattern: Pattern[bytes], most_bytes: int = 1 << 26) -> list[bytes]:
    """The C strings in a library that are wholly of this pattern; it should start with a literal, to be found fast.

    Of an ELF file only the read-only data is searched, of another (a DLL) all of it; no more than `most_bytes`.
    """
    try:
        with Elf(path) as elf:
            bounds = elf.section(".rodata")
    except (OSError, ValueError):
        bounds = None
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start, end = bounds or (0, len(data))
            matches = list(pattern.finditer(data, start, min(end, start + most_bytes)))
            return [match.group() for match in matches if _is_whole_string(data, match.start(), match.end())]
    except (OSError, ValueError):
        return []


def _is_whole_string(data: mmap.mmap, start: int, end: int) -> bool:
    """What lies before a string may be any constant, but no text."""
    before = data[max(0, start - 1) : start]
    return data[end : end + 1] in {b"", b"\0"} and not (before.isalnum() or before in _INSIDE_TEXT)

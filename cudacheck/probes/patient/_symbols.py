"""Which symbols a shared object asks for, and whether it defines a given one: a probe of its hash table.

libtorch_cpu.so exports 76,000 symbols: listing them would take a second, looking one up takes microseconds.
The GNU hash table: https://sourceware.org/legacy-ml/binutils/2006-10/msg00377.html
"""

from __future__ import annotations

import struct
from typing import Iterator

from cudacheck.probes.patient._elf import Elf

_DT_HASH, _DT_SYMTAB, _DT_GNU_HASH = 4, 6, 0x6FFFFEF5
_SHT_DYNSYM = 11
_STB_WEAK = 2
_SYMBOL_BYTES = 24
_MOST_SYMBOLS = 1 << 20
_LONGEST_CHAIN = 1 << 16
"""No real table is larger: whatever is, is garbage that would keep us busy."""


def gnu_hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def exports(elf: Elf, name: bytes, hashed: int) -> bool:
    """Whether it defines this symbol, whose `gnu_hash` is `hashed`; ValueError where it cannot be told."""
    modern = elf.entry(_DT_GNU_HASH) is not None
    candidates = _gnu_candidates(elf, hashed) if modern else _sysv_candidates(elf, name)
    symbols = elf.table(_DT_SYMTAB)
    for index in candidates:
        string, section = elf.unpack("<I2xH", symbols + index * _SYMBOL_BYTES)
        at = elf.strings + string
        if section and elf.data[at : at + len(name) + 1] == name + b"\0":
            return True
    return False


def undefined_symbols(elf: Elf, prefixes: tuple[bytes, ...]) -> list[bytes]:
    """The symbols with these prefixes that some other library must supply; weak ones may stay missing."""
    found = []
    longest = max(len(prefix) for prefix in prefixes)
    start = elf.table(_DT_SYMTAB)
    table = elf.data[start : start + min(_undefined_end(elf), _MOST_SYMBOLS) * _SYMBOL_BYTES]
    whole = len(table) - len(table) % _SYMBOL_BYTES
    for name, info, section in struct.iter_unpack("<IBxH16x", table[:whole]):
        if section or not name or info >> 4 == _STB_WEAK:
            continue
        at = elf.strings + name
        if elf.data[at : at + longest].startswith(prefixes):
            found.append(elf.name(name))
    return found


def _undefined_end(elf: Elf) -> int:
    """How many symbols from the table's start to look at for undefined ones.

    The GNU hash table holds only defined symbols and they come last; what lies before them is not hashed.
    """
    if elf.entry(_DT_GNU_HASH) is not None:
        buckets, first_hashed, start = _gnu_table(elf)[:3]
        if any(elf.data[start : start + min(buckets, _MOST_SYMBOLS) * 4]):
            return first_hashed
    if elf.entry(_DT_HASH) is not None:
        return int(elf.unpack("<4xI", elf.table(_DT_HASH))[0])
    return next((size // _SYMBOL_BYTES for _, kind, _, size in elf.sections if kind == _SHT_DYNSYM), 0)


def _gnu_table(elf: Elf) -> tuple[int, int, int, int, int]:
    """(buckets, first hashed symbol, offset of the buckets, words of the Bloom filter, its shift)."""
    table = elf.table(_DT_GNU_HASH)
    buckets, first_hashed, words, shift = elf.unpack("<IIII", table)
    return buckets, first_hashed, table + 16 + words * 8, words, shift


def _gnu_candidates(elf: Elf, hashed: int) -> Iterator[int]:
    buckets, first_hashed, start, words, shift = _gnu_table(elf)
    if not buckets or not words:
        return
    (word,) = elf.unpack("<Q", start - words * 8 + hashed // 64 % words * 8)
    bits = 1 << hashed % 64 | 1 << (hashed >> shift) % 64
    if word & bits != bits:
        return
    (index,) = elf.unpack("<I", start + hashed % buckets * 4)
    for _ in range(_LONGEST_CHAIN):
        if index < first_hashed:
            return
        (entry,) = elf.unpack("<I", start + buckets * 4 + (index - first_hashed) * 4)
        if entry | 1 == hashed | 1:
            yield index
        if entry & 1:
            return
        index += 1


def _sysv_candidates(elf: Elf, name: bytes) -> Iterator[int]:
    """The older table, all there is in some libraries of distributions and of other linkers."""
    table = elf.table(_DT_HASH)
    buckets, chain_length = elf.unpack("<II", table)
    hashed = 0
    for byte in name:
        hashed = (hashed << 4) + byte
        high = hashed & 0xF0000000
        hashed = (hashed ^ high >> 24) & ~high & 0xFFFFFFFF
    if not buckets:
        return
    (index,) = elf.unpack("<I", table + 8 + hashed % buckets * 4)
    for _ in range(min(chain_length, _LONGEST_CHAIN)):
        if not index:
            return
        yield index
        (index,) = elf.unpack("<I", table + 8 + (buckets + index) * 4)

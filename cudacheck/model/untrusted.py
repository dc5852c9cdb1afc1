"""Values of our own dataclasses out of JSON that somebody else wrote: a saved report, a child beside a hostile library.

Everything is bounded here, once: how long a text may be, how large a number, how deep a value.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

MAX_TEXT = 4096
"""Longer texts are cut: no probe tells longer ones, and int() refuses what has more than 4,300 digits."""
MAX_DIGITS = 20
MAX_NUMBER = 1e30

Reader = Callable[[Any], Any]
"""Of a typed value out of what JSON gave; it raises MalformedError."""


class MalformedError(ValueError):
    """JSON that is none, or that does not fit; the words say why, in one line."""


def parse(text: str | bytes, *, lenient: bool = False) -> Any:
    """JSON with bounded numbers. NaN and infinity, which Python's json writes, are None where it is `lenient`.

    Raises MalformedError.
    """
    constant = (lambda _: None) if lenient else _finite
    try:
        return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {str(error)[:120]}") from None


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number that is out of range")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not abs(number) <= MAX_NUMBER:  # nor is it so for what is not a number
        raise ValueError("a number that is out of range")
    return number


def record(cls: type, raw: Any) -> Any:
    """A dataclass out of a JSON object; fields it does not have are left out. Raises MalformedError."""
    if not isinstance(raw, dict):
        raise MalformedError("not an object")
    fields = {}
    for name, read in _fields(cls):
        if name in raw:
            try:
                fields[name] = read(raw[name])
            except MalformedError as error:
                raise MalformedError(f"{name}: {error}") from None
    if missing := [name for name in _needed(cls) if name not in fields]:
        raise MalformedError(f"{missing[0]}: missing")
    return cls(**fields)


@lru_cache(maxsize=1000)
def _fields(cls: type) -> tuple[tuple[str, Reader], ...]:
    return tuple((name, _reader(hint)) for name, hint in typing.get_type_hints(cls).items())


@lru_cache
def _needed(cls: Any) -> tuple[str, ...]:
    """The fields without a default."""
    fields = dataclasses.fields(cls)
    missing = dataclasses.MISSING
    return tuple(f.name for f in fields if f.default is missing and f.default_factory is missing)


def value(hint: Any, raw: Any) -> Any:
    """A value of this type, of which our dataclasses use few. Raises MalformedError."""
    return _reader(hint)(raw)


@lru_cache(maxsize=1000)
def _reader(hint: Any) -> Reader:
    """What reads values of this type: chosen once for it, because a large report has half a million values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        inner = _reader(next(argument for argument in arguments if argument is not types.NoneType))
        return lambda raw: None if raw is None else inner(raw)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return partial(record, hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return partial(_member, hint)
    inside = tuple(map(_reader, (argument for argument in arguments if argument is not ...)))
    if origin is tuple:
        return _checked(hint, list, lambda raw: tuple(map(inside[0], raw)))
    if origin is dict:
        return _checked(hint, dict, lambda raw: {inside[0](key): inside[1](item) for key, item in raw.items()})
    if hint in {int, float}:
        return _checked(hint, int | float, lambda raw: _number(hint, raw))
    return _checked(hint, hint, lambda raw: raw[:MAX_TEXT] if hint is str else raw)


def _checked(hint: Any, wanted: Any, read: Reader) -> Reader:
    """Nothing is converted: a value of another type is refused, and `true` is no number."""

    def checked(raw: Any) -> Any:
        if not isinstance(raw, wanted) or (isinstance(raw, bool) and hint is not bool):
            raise MalformedError(f"not {_spoken(hint)}")
        return read(raw)

    return checked


def _number(hint: Any, raw: float) -> float:
    if hint is int and raw != int(raw):
        raise MalformedError("not a whole number")
    if hint is int and len(str(int(raw))) > MAX_DIGITS:  # 1e30 is whole, too
        raise MalformedError("a number that is out of range")
    return int(raw) if hint is int else float(raw)


def _member(hint: type[enum.Enum], raw: Any) -> enum.Enum:
    try:
        return hint(raw)
    except (ValueError, TypeError):
        raise MalformedError(f"not one of {', '.join(str(member.value) for member in hint)}") from None


def _spoken(hint: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(hint, "an object" if typing.get_origin(hint) is dict else "a list")

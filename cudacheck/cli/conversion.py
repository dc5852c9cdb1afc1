"""Values that are as they are typed: Typer need not import pydantic for them, which is a quarter of the start."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

OTHER = object()
"""What only Typer can convert, or refuse."""


def spared(command: Any) -> Any:
    """The command, or the group and its commands, with options that ask Typer only where there is something to do."""
    for each in (command, *getattr(command, "commands", {}).values()):
        each.get_params = functools.partial(_options, each.get_params)
    return command


def _options(by_typer: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    options = by_typer(context)  # --help is among them, which is made only now
    for option in options:
        converts = hasattr(option, "type_descriptor")  # of a Typer that does so by pydantic
        if converts and not isinstance(option.process_value, functools.partial):
            option.process_value = functools.partial(_processed, option, option.process_value)
    return options


def _processed(option: Any, by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    many = option.multiple or option.nargs == -1
    found = _as_typed(option.type_descriptor.annotation, value, many=many, required=option.required)
    if found is OTHER:
        return by_typer(context, value)
    return option.callback(context, option, found) if option.callback else found


def _as_typed(annotation: Any, value: Any, *, many: bool, required: bool) -> Any:
    if required and not value:
        return OTHER  # it is missing: Typer says so
    if value is None:
        return () if many else None
    if annotation is Path and isinstance(value, str) and not many:
        return Path(value)
    if annotation is str and isinstance(value, str) and not many:
        return value
    if annotation == list[str] and isinstance(value, (list, tuple)):
        return [*value]
    is_choice = isinstance(annotation, type) and issubclass(annotation, enum.Enum)
    if is_choice and value in [one.value for one in annotation]:
        return annotation(value)
    return OTHER

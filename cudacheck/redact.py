"""What a ticket must not carry, taken out of a report: by what a field says that it holds, and by pattern in text.

No name is looked for as a bare word: under the user `torch`, torch stays torch. The same thing becomes the same
placeholder throughout one report, `<home-1>`, `<gpu-2>`, so that its relations survive.
"""

from __future__ import annotations

import dataclasses
import re
import socket
import types
import typing
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from cudacheck._secrets import PATTERNS, Names, program
from cudacheck.probes.holds import Holds


class Redactor:
    """Takes out of values of one report what identifies a person, a machine or a business, and what is secret."""

    def __init__(self, home: str | None = None, host: str | None = None) -> None:
        self.names = Names()
        self.home = own_home() if home is None else home
        self.host = own_host() if host is None else host
        self.commands: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Free text."""
        done = self._texts.get(value)
        if done is None:
            done = self._texts[value] = self._replaced(value)
        return done

    def _replaced(self, value: str) -> str:
        for command, shown in self.commands.items():
            value = value.replace(command, shown)
        if len(self.home) > 2 and self.home in value and self.home not in SHARED_HOMES:
            own = re.compile(rf"(?<![\w./]){re.escape(self.home)}(?=$|[/\\\s:;,'\"])")
            value = own.sub(lambda match: self.names.shown("home", match.group()), value)
        if self.host and self.host in value:
            value = re.sub(rf"(?<![\w.-]){re.escape(self.host)}(?![\w-])", self.names.shown("host", self.host), value)
        lower = value.lower()
        for pattern in PATTERNS:
            if pattern.needs is None or any(needed in lower for needed in pattern.needs):
                value = pattern.replaced(value, self.names)
        return value

    def held(self, value: str, holds: Holds) -> str:
        """What a field holds."""
        if holds is Holds.COMMAND_LINE:
            return self.text(program(value))
        whole = {Holds.UUID: "gpu", Holds.SERIAL: "serial", Holds.USER: "user", Holds.HOST: "host"}
        shown = self.text(value)
        if holds in whole and value and shown == value and "<" not in value:
            return self.names.shown(whole[holds], value)
        return shown

    def fact(self, fact: Any) -> dict[str, Any]:
        """A fact's fields as JSON-native values."""
        declared = declarations(fact.__class__)
        return {name: self._value(value, declared[name]) for name, value in dataclasses.asdict(fact).items()}

    def _value(self, value: Any, holds: Holds) -> Any:
        return mapped(value, lambda text: self.held(text, holds))

    def learn(self, facts: Any) -> None:
        """Know the terms of the facts, which no pattern may take for an address, and the command lines."""
        for fact in facts:
            for name, holds in declarations(fact.__class__).items():
                for text in strings(getattr(fact, name)):
                    if holds is Holds.TERM:
                        self.names.terms.add(text)
                    elif holds is Holds.COMMAND_LINE and program(text) != text:
                        self.commands[text] = program(text)
        longest_first = sorted(self.commands.items(), key=lambda item: -len(item[0]))
        self.commands = dict(longest_first[:MOST_COMMANDS])


SHARED_HOMES = ("/root", "/tmp", "/opt", "/usr", "/nonexistent", "/workspace", "/app", "/srv", "/var/lib")  # noqa: S108
"""Homes that name nobody."""

MOST_COMMANDS = 100
"""Command lines that are looked for in other text."""


def redacted(as_dict: dict[str, Any], facts: list[Any]) -> dict[str, Any]:
    """A report's JSON-native values, and its facts, without what a ticket must not carry."""
    redactor = Redactor()
    redactor.learn(facts)
    by_type: dict[str, list[Any]] = {name: [] for name in as_dict["facts"]}
    for fact in facts:
        by_type[type(fact).__name__].append(redactor.fact(fact))
    rest = {key: mapped(value, redactor.text) for key, value in as_dict.items() if key != "facts"}
    return {key: by_type if key == "facts" else rest[key] for key in as_dict}


def own_host() -> str:
    """The name of this machine, where it is no plain word: a host called `torch` must not cost the diagnosis."""
    name = socket.gethostname()
    return name if len(name) > 3 and re.search(r"\d|-|\.", name) else ""


def own_home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # a container whose uid has no home
        return ""


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with all its texts changed. Keys are names of fields or terms, and secrets may hide there too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return value


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


@lru_cache
def declarations(fact_type: Any) -> dict[str, Holds]:
    """What each field of a fact says that it holds; of a dictionary, what its values hold. Free text by default."""
    hints = typing.get_type_hints(fact_type, include_extras=True)
    return {field.name: _declared(hints[field.name]) or Holds.FREE_TEXT for field in dataclasses.fields(fact_type)}


def _declared(hint: Any) -> Holds | None:
    if isinstance(said := getattr(hint, "__metadata__", (None,))[0], Holds):
        return said
    parts = [_declared(part) for part in reversed(typing.get_args(hint))]
    return next(filter(None, parts), None)


def undeclared(hint: Any) -> bool:
    """Whether a hint has a text that does not say what it holds."""
    if hint is str:
        return True
    if typing.get_origin(hint) is typing.Annotated or (isinstance(hint, types.GenericAlias) and not hint.__args__):
        return False
    return any(undeclared(part) for part in typing.get_args(hint))

"""Every regular expression of the package, and how it is used: compiled in a module, a rule's message, in a call."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import cudacheck
from cudacheck import knowledge, registry

FROM_THE_START = {"match", "fullmatch"}
ANYWHERE = {"search", "sub", "subn", "split", "findall", "finditer"}


class Used(NamedTuple):
    where: str
    pattern: re.Pattern[str]
    anywhere: bool
    """Searched for, rather than matched from the start."""


@lru_cache
def used() -> list[Used]:
    found = [Used(rule.id, re.compile(message), True) for rule in registry.rules() for message in rule.messages]
    found += [Used(message.program, message.pattern, True) for message in knowledge.messages()]
    modules = list(_modules())
    elsewhere = {way for module in modules for way in _ways(module)}
    for module in modules:
        here = set(_ways(module))
        for name, value in vars(module).items():
            hows = {how for spoken, how in here if spoken == name} or {
                how for spoken, how in elsewhere if spoken == name
            }
            hows = (isinstance(value, re.Pattern) and hows) or ANYWHERE
            found += [Used(f"{module.__name__}.{name}", one, bool(hows - FROM_THE_START)) for one in _compiled(value)]
        found += _written(module)
    return found


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(cudacheck.__path__, "cudacheck."):
        if not info.name.endswith("__main__"):
            try:
                yield importlib.import_module(info.name)
            except ModuleNotFoundError:  # what only runs beside PyTorch or Triton
                continue


def _ways(module: ModuleType) -> Iterator[tuple[str, str]]:
    """(name, method) of every call in it that looks like one on a pattern."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Attribute) and node.attr in FROM_THE_START | ANYWHERE:
            owner = node.value
            yield owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", ""), node.attr


def _written(module: ModuleType) -> Iterator[Used]:
    for node in ast.walk(_tree(module)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=how), args=[ast.Constant(value=str(pattern)), *_]
            ) if how in FROM_THE_START | ANYWHERE:
                yield Used(f"{module.__name__}, line {node.lineno}", re.compile(pattern), how in ANYWHERE)
            case _:
                pass


@lru_cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def _compiled(value: object) -> Iterator[re.Pattern[str]]:
    """A pattern, or those in a table of them."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, dict):
        for one in (*value, *value.values()):
            yield from _compiled(one)
    elif isinstance(value, tuple | list | set | frozenset):
        for one in value:
            yield from _compiled(one)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from _compiled(getattr(value, name))

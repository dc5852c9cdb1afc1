"""Finds what declares itself: the modules of a folder, and the one typed value in each."""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


def names_in(package: types.ModuleType) -> list[str]:
    """Of the public modules of a package, none of which is imported for it."""
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_"))


def modules_of(package: types.ModuleType) -> Iterator[types.ModuleType]:
    """The public modules of a package, imported."""
    for name in names_in(package):
        yield importlib.import_module(f"{package.__name__}.{name}")


def declared(module: types.ModuleType, name: str, kind: type[T]) -> T:
    """The value by which a module declares what it is. Raises TypeError where it declares nothing of this kind."""
    value = getattr(module, name, None)
    if not isinstance(value, kind):
        raise TypeError(f"{module.__name__} declares no {name} = {kind.__name__}(…)")
    return value

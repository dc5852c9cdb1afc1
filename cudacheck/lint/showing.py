"""Shows what was found: one file a format in formats/."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from cudacheck.lint import formats as _package
from cudacheck.lint.linting import Linted
from cudacheck.model.declared import declared


@dataclass(frozen=True, kw_only=True)
class LintFormat:
    """What a module of lint/formats/ declares of itself."""

    render: Callable[[Linted, int | None], str]
    """The findings as text, for lines of that many columns where the format heeds them."""


def as_text(linted: Linted, name: str = "text", width: int | None = None) -> str:
    """The findings in the format of this name. Raises TypeError where the module declares no FORMAT."""
    module = importlib.import_module(f"{_package.__name__}.{name}")
    return declared(module, "FORMAT", LintFormat).render(linted, width)

"""One file a format; its name is what --format takes. Each declares FORMAT."""

from __future__ import annotations

import sys

from cudacheck.model.declared import names_in


def names() -> tuple[str, ...]:
    """The names of all formats, without importing one; the usual one first."""
    return tuple(sorted(names_in(sys.modules[__name__]), key=lambda name: name != "text"))

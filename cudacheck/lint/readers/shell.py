"""Shell scripts, batch jobs, and whatever commands another file holds."""

from __future__ import annotations

from cudacheck.lint.facts import RecipeKind
from cudacheck.lint.readers import _commands, _shell
from cudacheck.lint.readers._base import Context, Found, Reader, Unread


def read(text: str, context: Context) -> Found:
    """The facts of a script, or of a fence that holds commands."""
    found: Found = []
    commands, broken = _shell.parse(text, context)
    for command in commands:
        found += _commands.facts(command, context)
    if broken:
        found.append(Unread("not all of this parses as shell", broken))
    return found


READER = Reader(read=read, kinds=(RecipeKind.SHELL, RecipeKind.BATCH))

"""What the text in a fact's field holds, said where the field is declared: redaction goes by it.

`path: holds.Path | None`. A field that says nothing is taken for free text, so that a new one cannot leak.
"""

from __future__ import annotations

import enum
import sys


class Holds(enum.Enum):
    TERM = "term"
    """A word of software or hardware: a version, a soname, a model. It is kept, unless it looks like a secret."""
    PATH = "path"
    """One path of the file system, or several as a search path holds them."""
    UUID = "uuid"
    """Of a GPU or a MIG instance."""
    SERIAL = "serial"
    USER = "user"
    HOST = "host"
    """The name of a machine, or its network address."""
    COMMAND_LINE = "command line"
    """A process: what it was given is its owner's business, its program's name is not."""
    SHELL = "shell"
    """Commands to type."""
    FREE_TEXT = "free text"


if sys.version_info >= (3, 9):
    from typing import Annotated

    Term = Annotated[str, Holds.TERM]
    Path = Annotated[str, Holds.PATH]
    Uuid = Annotated[str, Holds.UUID]
    Serial = Annotated[str, Holds.SERIAL]
    User = Annotated[str, Holds.USER]
    Host = Annotated[str, Holds.HOST]
    CommandLine = Annotated[str, Holds.COMMAND_LINE]
    Shell = Annotated[str, Holds.SHELL]
    FreeText = Annotated[str, Holds.FREE_TEXT]
else:  # there annotations are never evaluated
    Term = Path = Uuid = Serial = User = Host = CommandLine = Shell = FreeText = str

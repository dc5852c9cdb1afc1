"""`cudacheck schema`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cudacheck.cli.output import show


class Of(enum.StrEnum):
    REPORT = "report"
    PLAN = "plan"
    DIFF = "diff"
    FLEET = "fleet"
    LINT = "lint"
    EXPLAIN = "explain"
    CONFIG = "config"


def schema(
    of: Annotated[
        Of, typer.Argument(help="What prints it with --format json; `report`: doctor and bench.")
    ] = Of.REPORT,
) -> None:
    """Print the JSON Schema of what a command prints with --format json."""
    from cudacheck.commands import schema as printing

    show(printing.text_of(of))

"""`cudacheck config`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cudacheck.cli import settings
from cudacheck.cli.output import show


class PageFormat(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


PageFormatOption = Annotated[PageFormat, typer.Option("--format", help="What to print.")]


def config(
    config: settings.Config = None,
    no_config: settings.NoConfig = False,
    output_format: PageFormatOption = PageFormat.TEXT,
) -> None:
    """Print what is in force for the doctor here, and where each value came from."""
    from cudacheck.commands import config as printing

    show(printing.page(settings.in_force({}, config=config, no_config=no_config), output_format))

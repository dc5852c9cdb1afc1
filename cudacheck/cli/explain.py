"""`cudacheck explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import PageFormat, PageFormatOption, usage_error
from cudacheck.cli.output import show
from cudacheck.render import out


def explain(
    what: Annotated[
        str | None,
        typer.Argument(help="A rule, or `article`; without it, every rule is listed.", metavar="[RULE|article]"),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(help="For `article`: the interpreter whose commands are filled in.", metavar="PATH"),
    ] = None,
    output_format: PageFormatOption = PageFormat.TEXT,
) -> None:
    """Print a rule's page, list all rules, or go through the article's steps."""
    from cudacheck.commands import explain as explaining

    try:
        with interrupts.raised():
            if output_format is PageFormat.JSON:
                page = explaining.as_json(what)
            else:
                page = explaining.page(what, python, width=out.width())
    except explaining.UnknownRuleError as error:
        usage_error(str(error))
    show(page)

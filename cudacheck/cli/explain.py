"""`cudacheck explain`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import Color, PageFormat, PageFormatOption, usage_error
from cudacheck.cli.output import has_colour, show
from cudacheck.render import out


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A rule, `article`, or what some software printed, in quotes; without it, every rule is listed.",
            metavar="[RULE|article|MESSAGE]",
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(help="For `article`: the interpreter whose commands are filled in.", metavar="PATH"),
    ] = None,
    output_format: PageFormatOption = PageFormat.TEXT,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="All at once, at a terminal too.")] = False,
) -> None:
    """Print the page of a rule, or of what an error message means; list all rules; go through the article's steps."""
    from cudacheck.commands import explain as explaining

    try:
        with interrupts.raised():
            if output_format is PageFormat.JSON:
                page = explaining.as_json(what)
            else:
                page = explaining.page(what, python, width=out.width(), draw=_drawn() if out.is_terminal() else None)
    except explaining.UnknownRuleError as error:
        usage_error(str(error))
    if not no_pager and output_format is PageFormat.TEXT and out.is_terminal() and out.is_long(page):
        with interrupts.raised():
            out.page(page)
    else:
        show(page, colour=has_colour(Color.AUTO))


def _drawn() -> Callable[[str, int], str]:
    from cudacheck.render import reading

    return functools.partial(reading.drawn, colour=has_colour(Color.AUTO))

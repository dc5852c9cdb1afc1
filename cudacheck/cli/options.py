"""The options that several commands share, and what is said about them before the work."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cudacheck import render
from cudacheck.render import out

USAGE, FAULT = 2, 4
"""Exit codes: what was asked cannot be done; a fault of our own."""


class Dtype(enum.StrEnum):
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class FailOn(enum.StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


def format_option(folder: str = "formats") -> Any:
    """`--format` with the names of this folder's formats."""
    names = render.formats(folder)

    def known(name: str) -> str:
        if name not in names:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, names))}")
        return name

    return typer.Option("--format", help="What to print.", metavar=f"<{'|'.join(names)}>", callback=known)


Python = Annotated[
    str | None,
    typer.Option(help="The interpreter (or environment folder) to inspect; else the active one.", metavar="PATH"),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds for the whole run.", metavar="S")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail also when nothing proves the machine ready.")]
FailingFrom = Annotated[FailOn, typer.Option(help="The least severity that makes the exit code 1.")]
Ignore = Annotated[list[str] | None, typer.Option(help="Leave a rule out (repeatable).", metavar="RULE")]
OutputFormat = Annotated[str, format_option()]
Output = Annotated[
    Path | None, typer.Option(help="Write the report to a file as well; its ending chooses the format.", metavar="FILE")
]
Redact = Annotated[bool, typer.Option("--redact", help="Take people, machines and secrets out of the report.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Probes, logs, sources, unchecked rules.")]


def usage_error(message: str) -> NoReturn:
    """One clear line on stderr, exit code 2."""
    out.say(message)
    raise typer.Exit(USAGE)


def known_rules(asked: list[str]) -> None:
    if not asked:
        return
    from cudacheck.registry import rule

    for rule_id in asked:
        if rule(rule_id) is None:
            usage_error(f"no rule is called {rule_id!r}; `cudacheck explain` lists them all")

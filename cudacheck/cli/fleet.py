"""`cudacheck fleet judge`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import (
    Color,
    Colour,
    ExitZero,
    FailingFrom,
    FailOn,
    Ignore,
    NotProven,
    Output,
    Quiet,
    Strict,
    Verbose,
    format_option,
    not_proven_of,
)
from cudacheck.cli.output import check_first, deliver, refusing

FOLDER = "fleet"
fleet_app = typer.Typer(
    help="The same report from every node of a cluster, judged together.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class ExcludeAs(enum.StrEnum):
    SLURM = "slurm"
    HOSTFILE = "hostfile"
    KUBECTL = "kubectl"
    DRAIN = "drain"


ExcludeFile = Annotated[
    str | None,
    typer.Option(
        help="Write the nodes to leave out into this file; - is stdout, instead of the result.", metavar="FILE"
    ),
]
ExcludedAs = Annotated[
    ExcludeAs,
    typer.Option(
        help="As Slurm's --exclude, as a hostfile of the others, as kubectl cordon lines, or, where the node itself is"
        " at fault, as scontrol lines that drain it."
    ),
]
RequireOfNodes = Annotated[
    list[str] | None, typer.Option(help="What every node must fulfil (repeatable): torch>=2.7.", metavar="SPEC")
]
FleetFormat = Annotated[str | None, format_option(FOLDER)]


@fleet_app.command()
def judge(
    reports: Annotated[
        list[str],
        typer.Argument(
            help="Reports: files, folders, patterns in quotes, .jsonl with one a line; gzip is unpacked, - is stdin.",
            metavar="REPORTS…",
        ),
    ],
    expect: Annotated[
        str | None,
        typer.Option(
            help="The nodes that should have reported: a file of names, n[01-64], or how many.", metavar="FILE|N"
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="An earlier result as JSON: tell what changed since.", metavar="FILE")
    ] = None,
    max_age: Annotated[
        float, typer.Option(min=0.1, help="Hours behind the newest report, beyond which one is stale.", metavar="H")
    ] = 24,
    exclude_file: ExcludeFile = None,
    exclude_as: ExcludedAs = ExcludeAs.SLURM,
    require: RequireOfNodes = None,
    fail_on: FailingFrom = None,
    not_proven: NotProven = None,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    ignore: Ignore = None,
    output_format: FleetFormat = None,
    output: Output = None,
    quiet: Quiet = False,
    color: Colour = Color.AUTO,
    verbose: Verbose = False,
) -> None:
    """Tell which nodes fail, which are other than their kind, slow, missing or stale.

    Exit code 0: none at or above --fail-on. 1: there is one, or a node is missing. 2: bad usage or nothing to read.
    """
    from cudacheck.commands import fleet_judge

    shown_as, proof = output_format or "text", not_proven_of(not_proven, strict=strict)
    ways = check_first(ignore, output, shown_as, FOLDER)
    with refusing(), interrupts.raised():
        told = fleet_judge.told(
            reports,
            expect=expect,
            max_age_s=max_age * 3600,
            ignore=ignore or (),
            require=require or (),
            since=since,
        )
        if exclude_file:
            fleet_judge.exclude(told.fleet, exclude_as, exclude_file)
    if exclude_file != "-":
        deliver(told, shown_as, ways, folder=FOLDER, verbose=verbose, quiet=quiet, color=color)
    code = fleet_judge.exit_code(told.fleet, fail_on=fail_on or FailOn.ERROR, not_proven=proof or "pass")
    raise typer.Exit(0 if exit_zero else code)

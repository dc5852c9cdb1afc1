"""`cudacheck plan`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import Color, Colour, Output, format_option, usage_error
from cudacheck.cli.output import check_first, deliver, refusing
from cudacheck.render import out

if TYPE_CHECKING:
    from cudacheck.planning import InstallPlan


class EmitAs(enum.StrEnum):
    """In whose syntax a plan is written."""

    PIP = "pip"
    UV = "uv"
    CONDA = "conda"
    PIXI = "pixi"
    POETRY = "poetry"
    REQUIREMENTS = "requirements"
    PYPROJECT = "pyproject"
    ENVIRONMENT = "environment"
    DOCKERFILE = "dockerfile"


FOLDER = "plan"


def plan(
    requirements: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to install: `torch>=2.8`, `flash-attn`, a requirements file, a pyproject.toml; else the newest "
            "PyTorch with its family.",
            metavar="[REQUIREMENT]...",
        ),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--requirement", "-r", help="A requirements file (repeatable).", metavar="FILE")
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option(help="For this GPU instead of this machine's: a name or a compute capability (repeatable)."),
    ] = None,
    driver: Annotated[str | None, typer.Option(help="The NVIDIA driver there.", metavar="VERSION")] = None,
    python: Annotated[
        str | None, typer.Option(help="A version, or an interpreter or environment to inspect.", metavar="VERSION|PATH")
    ] = None,
    os: Annotated[str | None, typer.Option(help="The system there.", metavar="<linux|windows|wsl>")] = None,
    machine: Annotated[str | None, typer.Option(help="The processor there.", metavar="<x86_64|aarch64>")] = None,
    glibc: Annotated[str | None, typer.Option(help="The C library there.", metavar="VERSION")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="For the machine of a saved report or a paste; - is stdin.", metavar="FILE"),
    ] = None,
    emit: Annotated[
        EmitAs | None, typer.Option(help="For this tool; without --format, print only what it reads or runs.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Print only how what is installed differs.")] = False,
    output_format: Annotated[str | None, format_option(FOLDER)] = None,
    output: Output = None,
    color: Colour = Color.AUTO,
) -> None:
    """Say what to install on this machine, or on one that is described, and why.

    Exit code 0: a plan; with --check, that what is installed is as planned. 1: none is possible, or nobody can tell;
    with --check, a difference. 2: bad usage or unreadable input.
    """
    from cudacheck.commands import plan as planning
    from cudacheck.planning.answer import Planned

    described = planning.Described(tuple(gpu or ()), driver, os, machine, glibc)
    if source and described:
        usage_error(
            "--from tells of a machine, and so do --gpu, --driver, --os, --machine and --glibc: give one of them"
        )
    if check and described:
        usage_error("--check compares what is installed: it goes with this machine or with --from")
    shown_as = output_format or "text"
    ways = check_first(None, output, shown_as, FOLDER)
    with refusing(), interrupts.raised():
        found = planning.plan(
            requirements or (),
            files or (),
            described=described,
            python=python,
            sources=source or (),
            tool=emit.value if emit else None,
            check=check,
        )
    block = _block(found) if emit and not output_format else None
    deliver(Planned(found, check=check), shown_as, ways, folder=FOLDER, color=color, instead=block)
    raise typer.Exit(0 if found.choice and not (check and found.difference) else 1)


def _block(found: InstallPlan) -> str:
    """What a tool reads or runs; what is not in it, or why there is none, goes to stderr."""
    from cudacheck.render.plan import _outline as rendering

    if found.choice is None:
        out.say(rendering.headline(found)[1])
        return ""
    for remark in found.advice:
        if remark.about == "left out":
            out.say(f"left out: {remark.says}")
    return "".join(f"{line}\n" for line in rendering.block(found.choice))

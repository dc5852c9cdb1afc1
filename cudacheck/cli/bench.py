"""`cudacheck bench kernels` and `cudacheck bench steps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cudacheck.cli import interrupts
from cudacheck.cli.options import (
    Color,
    Colour,
    Dtype,
    ExitZero,
    FailingFrom,
    Ignore,
    NotProven,
    Output,
    OutputFormat,
    Python,
    Quiet,
    Redact,
    Strict,
    Timeout,
    Verbose,
    not_proven_of,
    usage_error,
)
from cudacheck.cli.output import Gate, can_plot, check_first, draw, leave, refusing, tell
from cudacheck.render import out

bench_app = typer.Typer(
    help="Measure this machine in depth: kernels, steps.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


BENCH_S = 300
OPT_IN_S = {"stack": 55, "concurrency": 20, "compile": 15}
"""What these add to `bench steps`: seconds on an H200."""


@bench_app.command()
def kernels(
    python: Python = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only what judges every axis: 6 s a GPU instead of 20.")
    ] = False,
    device: Annotated[
        list[int] | None,
        typer.Option(help="Only this GPU, as PyTorch numbers them (repeatable); else all in turn.", metavar="N"),
    ] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="One 16-bit type instead of both.")] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="A saved report: tell what is slower now on the same GPU.", metavar="FILE"),
    ] = None,
    timeout: Timeout = BENCH_S,
    fail_on: FailingFrom = None,
    not_proven: NotProven = None,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    ignore: Ignore = None,
    output_format: OutputFormat = None,
    output: Output = None,
    redact: Redact = False,
    quiet: Quiet = False,
    color: Colour = Color.AUTO,
    verbose: Verbose = False,
) -> None:
    """Time matmul, copies and attention on every GPU, check the results, and judge each axis of its speed.

    Exit codes as `cudacheck doctor`.
    """
    from cudacheck.commands import bench_kernels
    from cudacheck.render import progress

    chosen_format = output_format or "text"
    gate = Gate(fail_on or "error", not_proven_of(not_proven, strict=strict) or "pass", exit_zero)
    ways = check_first(ignore, output, chosen_format)
    with refusing(), interrupts.raised(), progress.Bar(progress.kernels) as bar:
        found = bench_kernels.kernels(
            python,
            quick=quick,
            devices=device or (),
            dtype=dtype,
            baseline=baseline,
            timeout_s=timeout or BENCH_S,
            ignore=ignore or (),
            progress=bar.show,
            heard=bar.heard,
        )
    tell(found, chosen_format, ways, redact=redact, verbose=verbose, quiet=quiet, color=color, gate=gate)
    leave(found, gate)


@bench_app.command()
def steps(
    python: Python = None,
    device: Annotated[int, typer.Option(min=0, help="The GPU, as PyTorch numbers them.", metavar="N")] = 0,
    rows: Annotated[
        str | None,
        typer.Option(help="Only these rows: names with commas, `fp32,16bit,without-fused`.", metavar="NAMES"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The stalls and the four rows that tell most.")] = False,
    stack: Annotated[bool, typer.Option("--stack", help="Beside it the same shape run by transformers.")] = False,
    concurrency: Annotated[
        bool, typer.Option("--concurrency", help="Three requests at a time, served in four ways.")
    ] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Also a row with torch.compile.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the rows into a file: .svg or .png.", metavar="FILE")] = None,
    timeout: Timeout = BENCH_S,
    fail_on: FailingFrom = None,
    not_proven: NotProven = None,
    strict: Strict = False,
    exit_zero: ExitZero = False,
    ignore: Ignore = None,
    output_format: OutputFormat = None,
    output: Output = None,
    redact: Redact = False,
    quiet: Quiet = False,
    color: Colour = Color.AUTO,
    verbose: Verbose = False,
) -> None:
    """Run a 1.5-billion-parameter decoder step by step faster on one GPU, and tell what each step wins here.

    Exit codes as `cudacheck doctor`.
    """
    from cudacheck.commands import bench_steps
    from cudacheck.render import progress

    chosen_format = output_format or "text"
    gate = Gate(fail_on or "error", not_proven_of(not_proven, strict=strict) or "pass", exit_zero)
    ways = check_first(ignore, output, chosen_format)
    can_plot(plot)
    if quick and rows is not None:
        usage_error("--quick and --rows both choose rows: give one of them")
    chosen = [] if rows is None else [name.strip() for name in rows.split(",")]
    _tell_costs(stack=stack, concurrency=concurrency, compile=compiled)
    with refusing(), interrupts.raised(), progress.Bar(progress.steps) as bar:
        found = bench_steps.steps(
            python,
            quick=quick,
            rows=chosen,
            device=device,
            stack=stack,
            concurrency=concurrency,
            compile=compiled,
            timeout_s=timeout or BENCH_S,
            ignore=ignore or (),
            progress=bar.show,
            heard=bar.heard,
        )
    tell(found, chosen_format, ways, redact=redact, verbose=verbose, quiet=quiet, color=color, gate=gate)
    draw(found, plot, redact=redact)
    leave(found, gate)


def _tell_costs(**asked: bool) -> None:
    """What is left out unless it is asked for takes its time: said up front."""
    for option, seconds in OPT_IN_S.items():
        if asked[option]:
            out.say(f"--{option} takes about {seconds} s more")

"""The command line: options in, a call or two, exit code out."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cudacheck import __version__

if TYPE_CHECKING:
    from cudacheck.inspecting import Inspected

app = typer.Typer(
    name="cudacheck",
    help="What is wrong with this CUDA and PyTorch environment, why, what to type, and is the GPU really fast?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts 0.1 s sooner and pastes well
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(enum.StrEnum):
    TEXT = "text"
    JSON = "json"


class Dtype(enum.StrEnum):
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class FailOn(enum.StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


# The options that commands share.
Python = Annotated[
    str | None,
    typer.Option(help="The interpreter (or environment folder) to inspect; else the active one.", metavar="PATH"),
]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds for the whole run.", metavar="S")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail also when nothing proves the machine ready.")]
FailingFrom = Annotated[FailOn, typer.Option(help="The least severity that makes the exit code 1.")]
Ignore = Annotated[list[str] | None, typer.Option(help="Leave a rule out (repeatable).", metavar="RULE")]
OutputFormat = Annotated[Format, typer.Option("--format", help="What to print.")]
Output = Annotated[Path | None, typer.Option(help="Write the report to a file as well: .json or .txt.", metavar="FILE")]
Redact = Annotated[
    bool, typer.Option("--redact", help="Take names, home folders, UUIDs and serials out of the report.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Probes, logs, sources, unchecked rules.")]

bench_app = typer.Typer(
    help="Measure this machine in depth: kernels, steps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bench_app, name="bench")

ENDINGS = {".json": Format.JSON, ".txt": Format.TEXT}
OPT_IN_S = {"stack": 55, "concurrency": 20, "compile": 15}
"""What these add to `bench steps`: seconds on an H200."""


def usage_error(message: str) -> NoReturn:
    """One clear line on stderr, exit code 2."""
    _say(message)
    raise typer.Exit(2)


def _say(message: str) -> None:
    from cudacheck.render._clean import clean

    if sys.stderr is not None:  # closed, as cron and some daemons leave it
        print(f"cudacheck: {clean(message, 400)}", file=sys.stderr)


def _version(asked: bool) -> None:
    if asked:
        print(f"cudacheck {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The doctor for CUDA and PyTorch environments. It looks, measures and tells; it changes nothing."""


@app.command()
def doctor(
    python: Python = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="Judge a paste or a saved report instead of this machine; - is stdin.",
            metavar="FILE",
        ),
    ] = None,
    bench: Annotated[bool, typer.Option("--bench/--no-bench", help="Measure FP16 matmul and attention.")] = True,
    timeout: Timeout = 180,
    strict: Strict = False,
    fail_on: FailingFrom = FailOn.ERROR,
    ignore: Ignore = None,
    output_format: OutputFormat = Format.TEXT,
    output: Output = None,
    redact: Redact = False,
    verbose: Verbose = False,
) -> None:
    """Diagnose this machine, or what somebody pasted (--from).

    Exit code 0: no finding at or above --fail-on. 1: there is one. 2: bad usage or unreadable input.
    """
    from cudacheck import inspecting

    _known_rules(ignore or [])
    _format_of(output, output_format)
    if source and python:
        usage_error("--from judges what was pasted, --python inspects this machine: give one of them")
    try:
        found = (
            inspecting.pasted(source, ignore=ignore or ())
            if source
            else inspecting.live(python, bench=bench, timeout_s=timeout, ignore=ignore or ())
        )
    except inspecting.InputError as error:
        usage_error(str(error))
    _tell(found, output_format, output, redact=redact, verbose=verbose)
    _leave(found, fail_on, strict=strict)


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
    timeout: Timeout = 300,
    strict: Annotated[bool, typer.Option("--strict", help="Fail also when the speed is inconclusive.")] = False,
    fail_on: FailingFrom = FailOn.ERROR,
    ignore: Ignore = None,
    output_format: OutputFormat = Format.TEXT,
    output: Output = None,
    redact: Redact = False,
    verbose: Verbose = False,
) -> None:
    """Time matmul, copies and attention on every GPU, check the results, and judge each axis of its speed.

    Exit codes as `cudacheck doctor`.
    """
    from cudacheck import benching, inspecting
    from cudacheck.render import progress

    _known_rules(ignore or [])
    _format_of(output, output_format)
    try:
        with progress.Bar(progress.kernels) as bar:
            found = benching.kernels(
                python,
                quick=quick,
                devices=device or (),
                dtype=dtype,
                baseline=baseline,
                timeout_s=timeout,
                ignore=ignore or (),
                progress=bar.show,
                heard=bar.heard,
            )
    except inspecting.InputError as error:
        usage_error(str(error))
    _tell(found, output_format, output, redact=redact, verbose=verbose)
    _leave(found, fail_on, strict=strict)


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
    timeout: Timeout = 300,
    strict: Strict = False,
    fail_on: FailingFrom = FailOn.ERROR,
    ignore: Ignore = None,
    output_format: OutputFormat = Format.TEXT,
    output: Output = None,
    redact: Redact = False,
    verbose: Verbose = False,
) -> None:
    """Run a 1.5-billion-parameter decoder step by step faster on one GPU, and tell what each step wins here.

    Exit codes as `cudacheck doctor`.
    """
    from cudacheck import inspecting, stepping
    from cudacheck.render import progress

    _known_rules(ignore or [])
    _format_of(output, output_format)
    _can_plot(plot)
    if quick and rows is not None:
        usage_error("--quick and --rows both choose rows: give one of them")
    chosen = [] if rows is None else [name.strip() for name in rows.split(",")]
    _tell_costs(stack=stack, concurrency=concurrency, compile=compiled)
    try:
        with progress.Bar(progress.steps) as bar:
            found = stepping.steps(
                python,
                quick=quick,
                rows=chosen,
                device=device,
                stack=stack,
                concurrency=concurrency,
                compile=compiled,
                timeout_s=timeout,
                ignore=ignore or (),
                progress=bar.show,
                heard=bar.heard,
            )
    except inspecting.InputError as error:
        usage_error(str(error))
    _tell(found, output_format, output, redact=redact, verbose=verbose)
    _draw(found, plot, redact=redact)
    _leave(found, fail_on, strict=strict)


@app.command()
def explain(
    what: Annotated[
        str | None,
        typer.Argument(help="A rule, or `article`; without it, every rule is listed.", metavar="[RULE|article]"),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(help="For `article`: the interpreter whose commands are filled in.", metavar="PATH"),
    ] = None,
) -> None:
    """Print a rule's page, list all rules, or go through the article's steps."""
    from cudacheck import explaining

    try:
        _print(explaining.page(what, python))
    except explaining.UnknownRuleError as error:
        usage_error(str(error))


def _tell(found: Inspected, output_format: Format, output: Path | None, *, redact: bool, verbose: bool) -> None:
    """To stdout, and to the file that --output names."""
    from cudacheck import render, report

    result = report.redacted(found.report) if redact else found.report
    _print(render.as_text(result, output_format, verbose=verbose, colour=_colour()))
    if output:
        _write(output, render.as_text(result, _format_of(output, output_format), verbose=verbose))


def _leave(found: Inspected, fail_on: FailOn, *, strict: bool) -> NoReturn:
    from cudacheck.report import exit_code

    raise typer.Exit(130 if found.interrupted else exit_code(found.report, fail_on=fail_on, strict=strict))


def _tell_costs(**asked: bool) -> None:
    """What is left out unless it is asked for takes its time: said up front."""
    for option, seconds in OPT_IN_S.items():
        if asked[option]:
            _say(f"--{option} takes about {seconds} s more")


def _can_plot(path: Path | None) -> None:
    """What cannot be drawn is said before the work."""
    if path is None:
        return
    from importlib.util import find_spec

    from cudacheck.render import plot

    if path.is_dir() or not path.absolute().parent.is_dir():
        usage_error(f"cannot write {path}: {'it is a folder' if path.is_dir() else 'no such folder'}")
    if path.suffix.lower() not in plot.ENDINGS:
        usage_error(f"cannot draw {path.suffix or path.name} files; the endings are {' '.join(plot.ENDINGS)}")
    if find_spec("matplotlib") is None:
        usage_error(f"--plot needs matplotlib: {plot.INSTALL}")


def _draw(found: Inspected, path: Path | None, *, redact: bool) -> None:
    if path is None:
        return
    from cudacheck import report
    from cudacheck.render import plot

    try:
        plot.write(report.redacted(found.report) if redact else found.report, path)
    except plot.PlotError as error:
        _say(f"nothing was drawn: {error}")
    except OSError as error:
        usage_error(f"cannot write {path}: {error.strerror}")


def _known_rules(asked: list[str]) -> None:
    if not asked:
        return
    from cudacheck.registry import rule

    for rule_id in asked:
        if rule(rule_id) is None:
            usage_error(f"no rule is called {rule_id!r}; `cudacheck explain` lists them all")


def _format_of(output: Path | None, asked: Format) -> Format:
    """A file's format follows from its ending, else from --format. What cannot be written is said before the work."""
    if output is None:
        return asked
    if output.is_dir() or not output.absolute().parent.is_dir():
        usage_error(f"cannot write {output}: {'it is a folder' if output.is_dir() else 'no such folder'}")
    if not output.suffix:
        return asked
    if output.suffix.lower() not in ENDINGS:
        usage_error(f"cannot write {output.suffix} files; the endings are {' '.join(ENDINGS)}")
    return ENDINGS[output.suffix.lower()]


def _write(path: Path, text: str) -> None:
    try:
        # A path or a message of the patient may hold bytes that are no UTF-8.
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        usage_error(f"cannot write {path}: {error.strerror}")


def _print(text: str) -> None:
    """To stdout, whatever its encoding: a C locale gets question marks, not a traceback."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _colour() -> bool:
    import os

    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )

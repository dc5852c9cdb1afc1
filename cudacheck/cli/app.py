"""The command line: options in, a call or two, exit code out."""

from __future__ import annotations

import enum
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cudacheck import __version__
from cudacheck.cli import interrupts
from cudacheck.render import out
from cudacheck.reports.redact import redacted

if TYPE_CHECKING:
    from cudacheck.commands.doctor import Inspected

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
Redact = Annotated[bool, typer.Option("--redact", help="Take people, machines and secrets out of the report.")]
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


USAGE, FAULT = 2, 4
"""Exit codes: what was asked cannot be done; a fault of our own."""


def run() -> int:
    """The command line from end to end, in a process of its own. Returns the exit code, whatever was raised."""
    try:
        code = app(standalone_mode=False)
    except SystemExit:
        return 0  # Click's, where whoever read the help has read enough and closed the pipe
    except Exception as error:
        return _failed(error)
    if code == interrupts.CODE:  # Typer turns a KeyboardInterrupt into this code, and says nothing
        out.say("interrupted")
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """One line instead of a traceback, but for those who ask for it."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        out.say(f"cannot write to standard output: {error.strerror}")
        out.give_up(sys.stdout)
        return USAGE
    if hasattr(error, "format_message"):  # Click's: usage
        out.say(f"{error.format_message().rstrip('.')}; `cudacheck --help` lists what there is")
        return USAGE
    if "CUDACHECK_DEBUG" in os.environ:
        raise error
    out.say(f"internal error, please report it: {type(error).__name__}: {error}")
    return FAULT


def usage_error(message: str) -> NoReturn:
    """One clear line on stderr, exit code 2."""
    out.say(message)
    raise typer.Exit(USAGE)


def _version(asked: bool) -> None:
    if asked:
        from cudacheck import knowledge

        _print(f"cudacheck {__version__} (knowledge of {knowledge.as_of()})\n")
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
    from cudacheck.commands import doctor as inspecting

    _known_rules(ignore or [])
    _format_of(output, output_format)
    if source and python:
        usage_error("--from judges what was pasted, --python inspects this machine: give one of them")
    try:
        if source:
            found = inspecting.pasted(source, ignore=ignore or ())
        else:
            with interrupts.raised(), out.Line() as line:
                found = inspecting.live(python, bench=bench, timeout_s=timeout, ignore=ignore or (), progress=line.show)
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
    from cudacheck.commands import bench_kernels
    from cudacheck.commands import doctor as inspecting
    from cudacheck.render import progress

    _known_rules(ignore or [])
    _format_of(output, output_format)
    try:
        with interrupts.raised(), progress.Bar(progress.kernels) as bar:
            found = bench_kernels.kernels(
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
    from cudacheck.commands import bench_steps
    from cudacheck.commands import doctor as inspecting
    from cudacheck.render import progress

    _known_rules(ignore or [])
    _format_of(output, output_format)
    _can_plot(plot)
    if quick and rows is not None:
        usage_error("--quick and --rows both choose rows: give one of them")
    chosen = [] if rows is None else [name.strip() for name in rows.split(",")]
    _tell_costs(stack=stack, concurrency=concurrency, compile=compiled)
    try:
        with interrupts.raised(), progress.Bar(progress.steps) as bar:
            found = bench_steps.steps(
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
    from cudacheck.commands import explain as explaining

    try:
        with interrupts.raised():
            page = explaining.page(what, python, width=out.width())
    except explaining.UnknownRuleError as error:
        usage_error(str(error))
    _print(page)


def _tell(found: Inspected, output_format: Format, output: Path | None, *, redact: bool, verbose: bool) -> None:
    """To the file that --output names, then to stdout: what befalls one does not cost the other."""
    from cudacheck import render

    result = redacted(found.report) if redact else found.report
    unwritten = ""
    if output:
        try:
            text = render.as_text(result, _format_of(output, output_format), verbose=verbose)
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            unwritten = f"cannot write {output}: {error.strerror}"
    colour = _colour()
    text = render.as_text(result, output_format, verbose=verbose, colour=colour, encoding=out.encoding())
    _print(text, colour=colour)
    if unwritten:
        usage_error(unwritten)


def _leave(found: Inspected, fail_on: FailOn, *, strict: bool) -> NoReturn:
    from cudacheck.judging.gate import exit_code

    raise typer.Exit(interrupts.CODE if found.interrupted else exit_code(found.report, fail_on=fail_on, strict=strict))


def _tell_costs(**asked: bool) -> None:
    """What is left out unless it is asked for takes its time: said up front."""
    for option, seconds in OPT_IN_S.items():
        if asked[option]:
            out.say(f"--{option} takes about {seconds} s more")


def _can_plot(path: Path | None) -> None:
    """What cannot be drawn is said before the work."""
    if path is None:
        return
    from importlib.util import find_spec

    from cudacheck.render.steps import plot

    _can_write(path)
    if path.suffix.lower() not in plot.ENDINGS:
        usage_error(f"cannot draw {path.suffix or path.name} files; the endings are {' '.join(plot.ENDINGS)}")
    if find_spec("matplotlib") is None:
        usage_error(f"--plot needs matplotlib: {plot.INSTALL}")


def _draw(found: Inspected, path: Path | None, *, redact: bool) -> None:
    if path is None:
        return
    from cudacheck.render.steps import plot

    try:
        plot.write(redacted(found.report) if redact else found.report, path)
    except plot.PlotError as error:
        out.say(f"nothing was drawn: {error}")
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
    _can_write(output)
    if not output.suffix:
        return asked
    if output.suffix.lower() not in ENDINGS:
        usage_error(f"cannot write {output.suffix} files; the endings are {' '.join(ENDINGS)}")
    return ENDINGS[output.suffix.lower()]


def _can_write(path: Path) -> None:
    try:
        folder = path.absolute().parent
        why = "it is a folder" if path.is_dir() else "" if folder.is_dir() else "no such folder"
    except OSError as error:  # a name that is too long, a working folder that is gone
        why = error.strerror or str(error)
    if why:
        usage_error(f"cannot write {path}: {why}")


def _print(text: str, *, colour: bool = False) -> None:
    try:
        out.tell(text, colour=colour)
    except out.UnwritableError as error:
        usage_error(f"cannot write to standard output: {error.strerror}")


def _colour() -> bool:
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM") != "dumb"
    )

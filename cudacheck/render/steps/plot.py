"""A picture of the ladder: tokens per second against the ceilings, and the time to the first token, row by row."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cudacheck.model.report import Report
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.render import _panels
from cudacheck.render._clean import clean
from cudacheck.render._panels import DIM, INK, RULE, PanelLine
from cudacheck.render.steps import _rows
from cudacheck.render.steps._rows import sensible
from cudacheck.speed.steps import measured
from cudacheck.speed.steps.measured import StepRun

ENDINGS = (".svg", ".png")
INSTALL = "python -m pip install matplotlib"
ROW_INCHES, HEAD_INCHES, FOOT_INCHES, WIDTH_INCHES = 0.33, 1.75, 0.4, 11.5
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it
    "font.size": 9.5,
    "text.parse_math": False,  # a name with two dollars is no formula
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": DIM,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "xtick.color": DIM,
    "xtick.labelsize": 8.5,
    "ytick.left": False,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "cudacheck",  # the same report gives the same file
}


class PlotError(ValueError):
    """There is nothing to draw, or nothing to draw it with; the words say why, in one line."""


def write(report: Report, path: Path) -> None:
    """Writes that file and nothing else. Raises PlotError, and OSError where the file cannot be written."""
    if path.suffix.lower() not in ENDINGS:
        raise PlotError(f"cannot draw {path.suffix or path.name}; the endings are {' '.join(ENDINGS)}")
    runs = measured.of(report.facts)
    run, lines = next(((run, lines) for run in runs if (lines := _lines(run))), (None, []))
    if run is None:
        raise PlotError("the report holds no row of `cudacheck bench steps`")
    with _no_traces(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that no font has
        try:
            import matplotlib as mpl
            import matplotlib.figure
        except ImportError:
            raise PlotError(f"a plot needs matplotlib: {INSTALL}") from None
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            figure = _figure(report, run, lines, others=len(runs) - 1)
            date = {"Date": None} if path.suffix.lower() == ".svg" else None
            figure.savefig(path, dpi=150, metadata=date, facecolor="white")


@contextmanager
def _no_traces() -> Iterator[None]:
    """The list of fonts that matplotlib keeps in the user's home goes to a folder of ours, which goes away."""
    if "matplotlib" in sys.modules or "MPLCONFIGDIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]


def _figure(report: Report, run: StepRun, lines: Sequence[PanelLine], *, others: int) -> Any:
    """Without pyplot: no window, no backend, no state."""
    from matplotlib.figure import Figure

    height = HEAD_INCHES + FOOT_INCHES + ROW_INCHES * (lines[-1].y + 1)
    figure = Figure(figsize=(WIDTH_INCHES, height))
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (1.15, 1), "wspace": 0.06})
    figure.subplots_adjust(left=0.225, right=0.975, top=1 - HEAD_INCHES / height, bottom=FOOT_INCHES / height)
    left.set_ylim(lines[-1].y + 0.6, -0.6)
    left.set_yticks([line.y for line in lines], [line.text for line in lines])
    for label, line in zip(left.get_yticklabels(), lines, strict=True):
        label.set(fontweight="normal" if line.shown else "bold", color=INK if line.shown else DIM)
    _titles(figure, report, run, height, others)
    _panels.speeds(left, lines, _ceilings(lines))
    _panels.first_tokens(right, lines)
    return figure


def _lines(run: StepRun) -> list[PanelLine]:
    """From the top; the tables apart, with room above their names. What is left out of the best row, text tells."""
    tables = (
        ("", _rows.ladder(run)),
        ("beside plain PyTorch", _rows.extras(run)),
        ("your stack (transformers)", _rows.stack(run)),
    )
    lines: list[PanelLine] = []
    for title, rows in tables:
        if rows and title:
            lines.append(PanelLine(lines[-1].y + 1.4 if lines else 0.0, title))
        for named in rows:
            lines.append(PanelLine(lines[-1].y + 1 if lines else 0.0, named.name, named))
    return lines


def _ceilings(lines: Sequence[PanelLine]) -> list[tuple[str, float]]:
    """Of 16 bit: float32 has a floor of its own, where nothing stands near it."""
    halves = [line.shown.rung for line in lines if line.shown and line.shown.row.dtype != "float32"]
    floor = next((1e3 / ms for rung in halves if (ms := sensible(rung.floor_ms))), None)
    gemv = next((1e3 / ms for rung in halves if (ms := sensible(rung.gemv_ms))), None)
    named = (("floor (bytes ÷ read bandwidth)", sensible(floor)), ("matrix-vector products alone", sensible(gemv)))
    return [(name, speed) for name, speed in named if speed]


def _titles(figure: Any, report: Report, run: StepRun, height: float, others: int) -> None:
    torch = report.facts.one(TorchBuild)
    about = (
        run.gpu.label,
        f"and {others} more, not drawn" if others else "",
        f"torch {torch.version}" if torch else "",
        report.created[:10],
        "Qwen2-1.5B's shape, random weights, batch 1",
    )
    figure.text(0.012, 1 - 0.3 / height, "What each step brings", fontsize=14, fontweight="bold", va="center")
    subtitle = " · ".join(clean(part, 80) for part in about if part)
    figure.text(0.012, 1 - 0.58 / height, subtitle, color=DIM, va="center")

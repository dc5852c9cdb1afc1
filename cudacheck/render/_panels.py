"""The two panels of the plot: bars of tokens per second, and dots of the time to the first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cudacheck.render._clean import clean
from cudacheck.render.steps._rows import Named, sensible, spoken, whole

INK, DIM, RULE = "#222222", "#5f5f5f", "#d4d4d4"
BLUE, SKY, GREY, ORANGE = "#0072B2", "#56B4E9", "#8a8a8a", "#D55E00"
"""Okabe and Ito's: told apart with any eyes, and in print by their lightness."""
SMALL = 8.5
COLOURS = {"ladder": BLUE, "extra": SKY, "stack": GREY}
SLOWER_AT_FIRST = 0.7
"""Of the steady speed: below that the first pass is told beside it."""
FAR = 1.8
"""Dots that lie closer than that have no room for their words between them."""
SAME = 1.1
"""Dots that lie closer than that share one number."""


@dataclass(frozen=True)
class PanelLine:
    """What stands at one height."""

    y: float
    text: str
    shown: Named | None = None
    """None: a heading."""


def speeds(axes: Any, lines: Sequence[PanelLine], ceilings: Sequence[tuple[str, float]]) -> None:
    """Tokens per second, steady, and how fast this GPU could be."""
    measured = [speed for line in lines if line.shown and (speed := sensible(line.shown.rung.tokens_per_s))]
    most = max([*measured, *(speed for _, speed in ceilings)], default=1.0)
    axes.set_xlim(0, most * 1.1)
    _panel(axes, "Decode, tokens/s", "steady, the host reads each token")
    for place, (name, speed) in enumerate(sorted(ceilings, key=lambda ceiling: ceiling[1])):
        points = 4 + 13 * place
        axes.annotate(
            f"{name} {whole(speed)}",
            (speed, 1),
            (-4, points),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            fontsize=SMALL,
        )
        axes.axvline(speed, color=INK, linewidth=1.2, linestyle=((0, (4, 3)), "-")[place % 2], zorder=1)
    for line in lines:
        if line.shown:
            _bar(axes, line.y, line.shown)


def _panel(axes: Any, title: str, about: str) -> None:
    """Its title above the names of the ceilings; a faint grid, and what was measured in front of it."""
    for text, points, style in ((title, 56, {"fontweight": "bold"}), (about, 42, {"color": DIM, "fontsize": SMALL})):
        axes.annotate(text, (0, 1), (0, points), xycoords="axes fraction", textcoords="offset points", **style)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _bar(axes: Any, y: float, shown: Named) -> None:
    """What ails a row stands where its bar would be."""
    speed, first = sensible(shown.rung.tokens_per_s), sensible(shown.rung.tokens_per_s_first)
    words, colour = clean(shown.trouble, 56), DIM if shown.row.skipped else ORANGE
    if speed:
        axes.barh(y, speed, height=0.62, zorder=2, color=COLOURS.get(shown.row.table, GREY))
        slower = first and first < SLOWER_AT_FIRST * speed
        words, colour = whole(speed) + (f" (first pass {whole(first)})" if first and slower else ""), INK
    axes.annotate(
        words,
        (speed or 0, y),
        (5, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        zorder=3,
    )


def first_tokens(axes: Any, lines: Sequence[PanelLine]) -> None:
    """Milliseconds to the first token of 128: steady, and at a length that is new."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = [(line.y, line.shown.row) for line in lines if line.shown and line.shown.rung.usable]
    dots = [(y, sensible(row.ttft_ms), sensible(row.ttft_new_ms)) for y, row in rows]
    told = [ms for _, *both in dots for ms in both if ms]
    axes.set_xscale("log")
    axes.set_xlim(min(told, default=1.0) / 1.7, max(told, default=100.0) * 1.9)
    decades = max(told, default=1.0) / min(told, default=1.0) > 1e3
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:,g}"))
    _panel(axes, "Time to first token, ms", "prompt of 128 tokens, log scale")
    for y, steady, new in dots:
        _dots(axes, y, steady, new)
    _named(axes, [(y, steady, new) for y, steady, new in dots if steady and new])


def _dots(axes: Any, y: float, steady: float | None, new: float | None) -> None:
    apart = bool(steady and new and max(steady, new) > SAME * min(steady, new))
    if steady and new:
        axes.plot((steady, new), (y, y), color=GREY, linewidth=1.6, zorder=1)
    if new:
        axes.plot(new, y, "o", color=ORANGE, markersize=7 if apart or not steady else 5, zorder=2)
    if steady:
        face = "white" if apart or not new else "none"
        axes.plot(steady, y, "o", markersize=7.5, markerfacecolor=face, markeredgecolor=BLUE, markeredgewidth=1.8)
    ends = sorted(filter(None, (steady, new))) if apart else [*filter(None, (new or steady,))]
    for place, ms in enumerate(ends):
        left = apart and place == 0
        axes.annotate(
            spoken(ms),
            (ms, y),
            (-8 if left else 8, 0),
            textcoords="offset points",
            va="center",
            ha="right" if left else "left",
        )


def _named(axes: Any, rows: Sequence[tuple[float, float, float]]) -> None:
    """The two kinds of dots, in words, where they lie furthest apart."""
    if not rows:
        return
    y, steady, new = max(rows, key=lambda row: row[2] / row[1])
    sides = ("center", "center") if new > FAR * steady else ("right", "left") if steady <= new else ("left", "right")
    for ms, word, colour, side in ((steady, "steady", BLUE, sides[0]), (new, "at a new length", ORANGE, sides[1])):
        place = {"textcoords": "offset points", "ha": side, "color": colour, "fontsize": SMALL}
        axes.annotate(word, (ms, y), (0, 7), **place)

"""What a GitHub workflow reads beside the log: the job's summary, and this step's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cudacheck import render

if TYPE_CHECKING:
    from cudacheck.model.report import Report

SUMMARY, OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"
"""Variables of the runner's; each names a file that every step adds to."""
MOST_BYTES = 1000 * 1024
"""Of a summary; GitHub takes 1 MiB, and nothing at all of a longer one."""


def left_behind(report: Report, reports: Sequence[Path], environment: Mapping[str, str]) -> list[str]:
    """Write them where the runner asks for them. Returns why one could not be."""
    told = {}
    if environment.get(SUMMARY):
        text = render.as_text(report, "markdown")
        if len(text.encode("utf-8")) > MOST_BYTES:
            text = f"## {report.verdict.state}\n\nthe report is too long for a summary\n"
        told[environment[SUMMARY]] = text
    if environment.get(OUTPUT):
        named = [str(path) for path in reports if "\n" not in str(path) and "\r" not in str(path)]
        lines = [f"verdict={report.verdict.state}", *(f"report={path}" for path in named[:1])]
        told[environment[OUTPUT]] = "".join(f"{line}\n" for line in lines)
    return [why for path, text in told.items() if (why := _added(Path(path), text))]


def _added(path: Path, text: str) -> str:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return ""

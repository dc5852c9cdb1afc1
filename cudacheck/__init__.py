"""The doctor for CUDA and PyTorch environments.

From Python: `inspect()` looks at a machine, `read()` judges a saved report or a paste. Both give a `Report`
(`cudacheck.model.report`): `report.verdict`, `report.findings`, `report.count(severity)`.

    >>> import cudacheck
    >>> report = cudacheck.read("torch==2.9.0+cpu")
    >>> report.verdict.state.value
    'not-proven'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from cudacheck.model.report import Report

__version__ = "0.1.0"
__all__ = ["RequirementError", "inspect", "read", "require"]


class RequirementError(RuntimeError):
    """A requirement is not fulfilled, or nobody could tell; the words are those of the findings, a line each."""

    def __init__(self, report: Report) -> None:
        failed = [finding.message for finding in report.findings if finding.rule == "requirement-failed"]
        super().__init__("\n".join(failed))
        self.report = report


def require(*specs: str, python: str | None = None, bench: bool | None = None, timeout_s: float = 180) -> Report:
    """Make sure that this machine fulfils them: `cudacheck.require("driver>=570", "matmul-fp16>=0.6")`.

    The inspected interpreter is the one that runs, unless `python` names another. `bench`: whether to measure; only
    where a speed is required, unless it is said. Raises RequirementError where one is not fulfilled or cannot be
    checked, ValueError for what is no requirement and where nothing can be inspected.
    """
    import sys

    from cudacheck import requirements
    from cudacheck.commands import doctor
    from cudacheck.probes.chosen import Required

    report = doctor.live(
        python or sys.executable,
        bench=bool(requirements.cases(specs)) if bench is None else bench,
        timeout_s=timeout_s,
        required=[Required(spec, "cudacheck.require") for spec in specs],
    ).report
    if any(result.state != "fulfilled" for result in report.requirements):
        raise RequirementError(report)
    return report


def inspect(
    python: str | None = None, *, bench: bool = True, timeout_s: float = 180, ignore: Collection[str] = ()
) -> Report:
    """What `cudacheck doctor` finds on this machine, in child processes: nothing of it is imported here.

    `python` is the interpreter (or environment folder) to inspect, else the active one; `ignore` names rules to leave
    out. Raises ValueError where there is no such interpreter, or on a system without live probing.
    """
    from cudacheck.commands import doctor

    return doctor.live(python, bench=bench, timeout_s=timeout_s, ignore=ignore).report


def read(source: str | Path, *, ignore: Collection[str] = ()) -> Report:
    """What `cudacheck doctor --from` finds in a saved report or a paste: a text, or the Path of a file.

    Raises ValueError where nothing in it is understood or the file cannot be read.
    """
    from cudacheck.commands import doctor

    if isinstance(source, str):
        return doctor.read(source, ignore=ignore)
    return doctor.pasted([str(source)], ignore=ignore).report

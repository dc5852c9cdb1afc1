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
__all__ = ["inspect", "read"]


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

"""Reports, tickets and pastes, and this machine where it is asked for: what is different in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cudacheck.commands import doctor
from cudacheck.commands.doctor import InputError
from cudacheck.comparing.compare import Diffs, Labelled, compare_all
from cudacheck.model.report import Report

THIS_MACHINE = "this machine"


def diff(
    files: Sequence[str],
    live: Callable[[], Report] | None = None,
    *,
    prepared: Callable[[Report], Report] = lambda r: r,
) -> Diffs:
    """The first compared with each of the others; `live` inspects this machine, which comes last.

    Each is judged by today's rules, and `prepared` before it is compared. Raises InputError where there are not two, or
    one of them cannot be made use of.
    """
    if len(files) + (live is not None) < 2:
        raise InputError("one report has nothing to be compared with: name two, or --live for this machine")
    named = [Labelled(name, prepared(doctor.pasted([name]).report), is_file=name != "-") for name in files]
    if live:
        named.append(Labelled(THIS_MACHINE, prepared(live())))
    return compare_all(named[0], named[1:])

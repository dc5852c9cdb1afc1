"""What software said, as evidence. Judging puts it before a rule's own; few rules need to place it themselves."""

from __future__ import annotations

import dataclasses
import re

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, Remedy
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _torch


def leave_it_open(_: Facts) -> bool:
    """For `ambiguous`: a rule's messages are said whichever of several causes there is."""
    return True


def printed(match: re.Match[str]) -> str:
    """The message as its program prints it, where the text that was found is broken into lines."""
    row = knowledge.message_of(match)
    return row.text if row is not None else match[0]


def named(match: re.Match[str], group: str, otherwise: str) -> str:
    """What stands in this group of a message; the first one's where a rule's own expression names none.

    Where a row of the table has none, what it means.
    """
    row, groups = knowledge.message_of(match), match.groupdict()
    if row is not None:
        return groups.get(group) or row.means or otherwise
    return groups.get(group) or (match[1] if match.re.groups and not groups else otherwise)


def has_own_words(match: re.Match[str]) -> bool:
    """Whether the row itself says what the fault is and what to do: a rule only decides whether it is one here."""
    row = knowledge.message_of(match)
    return row is not None and bool(row.advice)


def in_words_of_row(match: re.Match[str], finding: Finding) -> Finding:
    """A rule's finding with what its row says instead, where that has words of its own."""
    row = knowledge.message_of(match)
    if row is None or not row.advice:
        return finding
    groups = {name: value or "" for name, value in match.groupdict().items()}
    needed = Remedy(row.advice.format(**groups), needs_root=any(remedy.needs_root for remedy in finding.remedies))
    return dataclasses.replace(finding, message=row.means.format(**groups), remedies=(needed,))


def quote(match: re.Match[str], said: ErrorMessage) -> Evidence:
    """The line in which a message says it, and who said it."""
    start, end = said.text.rfind("\n", 0, match.start()) + 1, said.text.find("\n", match.end())
    return Evidence(_torch.one_line(said.text[start : end if end >= 0 else None]), said.found_in)

"""A report as large as any that is read is judged, redacted and shared in work that grows with its size alone."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from functools import partial

import pytest
from big_report import big_report

from cudacheck.commands import doctor as inspecting
from cudacheck.commands.ticket import ticket_of
from cudacheck.model.report import Report

SMALL = 100_000
TIMES = 4
TOO_MANY = 1.5 * TIMES
"""Quadratic work would be 16 times as much; what every report costs makes it less than 4."""


def calls(work: Callable[[], object]) -> int:
    """Function calls, those of built-in functions too: the same on every machine, however busy."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return int(vars(pstats.Stats(profile))["total_calls"])


@pytest.fixture(scope="module")
def sizes() -> tuple[str, str]:
    inspecting.read(big_report(SMALL))  # what is read once only is read
    return big_report(SMALL), big_report(TIMES * SMALL)


def test_judging_grows_with_the_report(sizes):
    small, large = (calls(partial(inspecting.read, text)) for text in sizes)
    assert large < TOO_MANY * small


def test_redacting_and_sharing_grow_with_the_report(sizes):
    reports: list[Report] = [inspecting.read(text) for text in sizes]
    ticket_of(reports[0])
    small, large = (calls(partial(ticket_of, report)) for report in reports)
    assert large < TOO_MANY * small

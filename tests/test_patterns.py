"""No regular expression of the package needs more than time in proportion to its text, whatever that is made of."""

from __future__ import annotations

import pkgutil
import re
import time

import pytest
from patterns import Used, used

import cudacheck

pytestmark = pytest.mark.whole

LONG = 20_000
LIMIT_S = 0.4
"""Of processor time. In proportion to the text it is some milliseconds; with its square, seconds."""
LETTERS = " \t\n\r0aA._-/\\:;,|=+*#@!?'\"()[]{}<>$%&~^`éß\u0660\u00a0\u200b\u4e00\U0001f600"
WORDS = (
    "a ", "a.", "0.", "a=", "-a", ": ", "/a", "a:", "0x", "[a", "a]", '"a', "| ", "0a", "A_", "a@", "--", "  a",
    "\n ", " \n", "a\n", "'a ", "aaaaaaa0 ", "=a;", "$a", "{\n", "::",
)  # fmt: skip
MESSAGES = "messages"
ROOMS = (MESSAGES, *sorted(info.name for info in pkgutil.iter_modules(cudacheck.__path__)))
TEXTS: list[str] = [(unit * LONG)[:LONG] + "¦x" for unit in (*LETTERS, *WORDS)]


def slow_on(one: Used) -> str:
    """The beginning and end of the first text that it takes too long over."""
    for text in TEXTS:
        started = time.process_time()
        if one.anywhere:
            for _ in one.pattern.finditer(text):
                pass
        else:
            one.pattern.match(text)
        if time.process_time() - started > LIMIT_S:
            return text[:4] + text[-2:]
    return ""


def test_they_are_found():
    found = used()
    assert len(found) > 300
    assert any(one.where == "cudacheck.sources.environment._ASSIGNED" and not one.anywhere for one in found)


@pytest.mark.parametrize(("pattern", "anywhere"), [(r"\s*\s*x", False), (r"\S*\.so:", True)])
def test_a_slow_one_is_noticed(pattern, anywhere):
    assert slow_on(Used("here", re.compile(pattern), anywhere))


def room_of(one: Used) -> str:
    package, *inside = re.split(r"[.,]", one.where)
    return inside[0] if package == "cudacheck" else MESSAGES


@pytest.mark.parametrize("room", ROOMS)
def test_its_work_grows_with_the_text(room):
    """They are looked for in the test: to collect them takes seconds, which each worker would spend before any test."""
    assert [one for one in used() if room_of(one) == room and slow_on(one)] == []


def test_none_is_in_a_room_of_its_own():
    assert {room_of(one) for one in used()} <= {*ROOMS}

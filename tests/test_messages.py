"""The table of messages: each text proves the same however it reaches us, and nothing else where it is cut short."""

from __future__ import annotations

import re
import textwrap

import pytest

from cudacheck import knowledge, registry, sources
from cudacheck.judging import judge as judging
from cudacheck.knowledge import Message

ROWS = knowledge.messages()
TURNS = range(3)
WIDTH = 60
PREFIXES = {
    "quoted": "> ",
    "quoted twice": "> > ",
    "a terminal's log": "2026-11-29T08:12:00.123Z ",
    "vLLM's log": "(EngineCore pid=4242) ERROR 11-29 08:12:00 [core.py:714] ",
    "docker compose": "trainer-1  | ",
    "the journal": "Nov 29 08:12:00 gpu-7 python[4242]: ",
}


def named(row: Message) -> str:
    return f"{row.program}: {row.text}"[:50]


def proven(text: str) -> dict[str, tuple[str, str]]:
    """The rules that speak, with severity and words; none where nothing at all was understood."""
    try:
        facts = sources.read([("paste", text)])
    except sources.SourceError:
        return {}
    return {found.rule: (str(found.severity), found.message) for found in judging.judge(facts).findings}


def before(prefix: str, text: str) -> str:
    return "\n".join(prefix + line for line in text.splitlines())


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_its_rule_exists_and_it_is_found_where_it_is_printed(row: Message) -> None:
    assert row.proves in {rule.id for rule in registry.rules()}
    for turn in TURNS:
        assert row.search(f"RuntimeError: {row.filled(turn)}\n"), row.filled(turn)
        assert not row.search("")


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("row", ROWS, ids=named)
def test_it_proves_the_same_in_every_disguise(row: Message, turn: int) -> None:
    said = row.filled(turn)
    plain = proven(said)
    assert plain == proven(f'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n{said}\n')
    assert plain == proven(f"```\n{said}\n```"), "fenced"
    for name, prefix in PREFIXES.items():
        assert proven(before(prefix, said)) == plain, name
    at_words = textwrap.wrap(said, WIDTH, break_long_words=False, break_on_hyphens=False)
    assert proven("\n".join(at_words)) == plain, "wrapped between words"
    assert proven(before("> ", "\n".join(at_words))) == plain, "wrapped and quoted"
    assert proven("\n".join(said[at : at + WIDTH] for at in range(0, len(said), WIDTH))) == plain, "wrapped anywhere"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_cut_short_it_proves_the_same_or_nothing(row: Message) -> None:
    for turn in TURNS:
        said = row.filled(turn)
        plain = proven(said)
        for end in range(8, len(said), 5):
            assert proven(said[:end]).items() <= plain.items(), said[:end]


def test_no_row_hears_what_another_rules_row_prints() -> None:
    """But where one line holds both, as cuDNN's does that quotes the loader."""
    heard = {
        (row.proves, other.proves)
        for row in ROWS
        for other in ROWS
        if row.proves != other.proves and any(other.search(row.filled(turn)) for turn in TURNS)
    }
    assert heard <= {("cudnn-missing", "cuda-library-missing")}


def test_every_placeholder_is_used_and_matches_its_examples() -> None:
    used = {kind or name for row in ROWS for _, name, kind, _ in row.parts if name is not None}
    assert used == set(knowledge.placeholders())
    for kind, told in knowledge.placeholders().items():
        for example in told["examples"]:
            assert re.fullmatch(told["pattern"], example), (kind, example)


def test_an_anchor_is_looked_for_before_the_expression_is_made() -> None:
    row = ROWS[0]
    fresh = Message(row.text, row.program, row.versions, row.proves, row.source)
    assert fresh.search("x" * 1000) is None
    assert "pattern" not in vars(fresh)
    assert fresh.search(f"so {row.filled()}!")
    assert "pattern" in vars(fresh)

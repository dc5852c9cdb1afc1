"""The table of messages: each text proves the same however it reaches us, and nothing else where it is cut short."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from cudacheck import knowledge, registry, sources
from cudacheck.judging import judge as judging
from cudacheck.judging.questions import questions
from cudacheck.knowledge import Message
from cudacheck.model.findings import Gap, Severity
from cudacheck.probes.messages import ErrorMessage

ROOT = Path(__file__).parents[1]
ROWS = knowledge.messages()
TURNS = range(3)
PROPER = re.compile(r"[a-z`]|CUDA|NVIDIA|Triton|FlashAttention|[A-Z][A-Z0-9_]+ ")
"""How a finding's message begins: in lower case, but for names."""
WIDTH = 60
STEP = 13
"""Letters between two places where a text is cut; every row begins at another."""
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


def understood(text: str) -> set[tuple[str, tuple[str | None, ...]]]:
    """What is heard in a text: each expression, with what fills its placeholders. Judging goes by nothing else."""
    try:
        read = sources.read([("paste", text)])
    except sources.SourceError:
        return set()
    heard: set[tuple[str, tuple[str | None, ...]]] = set()
    for said in read.all(ErrorMessage):
        for listened in registry.messages():
            if match := listened.search(said.text):
                groups = [re.sub(r"\s+", "", group or "") for group in match.groups()]
                heard.add((match.re.pattern, tuple(groups) if decides(listened) else ()))
    return heard


def decides(listened: registry.Listened) -> bool:
    return isinstance(listened, Message) and bool(listened.proves)


def proven(text: str) -> dict[str, tuple[str, str]]:
    """The rules that speak, with severity and words; none where nothing at all was understood."""
    try:
        facts = sources.read([("paste", text)])
    except sources.SourceError:
        return {}
    return {found.rule: (str(found.severity), found.message) for found in judging.judge(facts).findings}


def before(prefix: str, text: str) -> str:
    return "\n".join(prefix + line for line in text.splitlines())


def disguises(said: str) -> dict[str, str]:
    at_words = "\n".join(textwrap.wrap(said, WIDTH, break_long_words=False, break_on_hyphens=False))
    return {
        "traceback": f'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n{said}\n',
        "fenced": f"```\n{said}\n```",
        **{name: before(prefix, said) for name, prefix in PREFIXES.items()},
        "wrapped between words": at_words,
        "wrapped and quoted": before("> ", at_words),
        "wrapped anywhere": "\n".join(said[at : at + WIDTH] for at in range(0, len(said), WIDTH)),
    }


def test_every_row_names_rules_that_there_are() -> None:
    rules = {rule.id for rule in registry.rules()}
    asked = {rule.id for rule in registry.rules() if rule.asks}
    for row in ROWS:
        assert bool(row.proves) != bool(row.may_be), row
        assert {*row.may_be} <= asked, row
        assert not row.proves or row.proves in rules, row
        assert not row.advice or row.means, row


def test_the_page_says_which_sources_could_not_be_opened() -> None:
    lines = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8").splitlines()
    said = {line.split(" `` ")[1] for line in lines if line.endswith(", not opened |")}
    assert said == {re.sub(r"\{(\w+):\w+\}", r"{\1}", row.text) for row in ROWS if not row.verified}


def test_every_row_is_found_where_it_is_printed() -> None:
    for row in ROWS:
        assert not row.search("")
        for turn in TURNS:
            assert row.search(f"RuntimeError: {row.filled(turn)}\n"), row.filled(turn)


def test_no_rule_fails_over_a_row_and_each_is_proven_or_asked_about() -> None:
    for row in ROWS:
        facts = sources.read([("paste", row.filled())])
        judged = judging.judge(facts)
        assert [gap.reason for gap in judged.unchecked if gap.why is Gap.OWN_FAULT] == [], row
        proven = {finding.rule: finding for finding in judged.findings}
        if row.may_be:
            assert {finding.rule for finding in proven.values() if finding.severity is Severity.ERROR} == set(), row
            assert questions(facts, judged.findings), row
        elif row.advice:
            told = proven[row.proves]
            assert "{" not in told.message + told.remedies[0].title, row
            assert PROPER.match(told.message), row
            assert not told.message.endswith("."), row


def test_it_is_understood_alike_in_every_disguise() -> None:
    for number, row in enumerate(ROWS):
        said = row.filled(number)
        plain = understood(said)
        for name, text in disguises(said).items():
            assert understood(text) == plain, (name, text)


@pytest.mark.whole
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("row", ROWS, ids=named)
def test_it_proves_the_same_in_every_disguise(row: Message, turn: int) -> None:
    said = row.filled(turn)
    plain = proven(said)
    for name, text in disguises(said).items():
        assert proven(text) == plain, name


def test_cut_short_it_says_the_same_or_nothing() -> None:
    for number, row in enumerate(ROWS):
        said = row.filled(number)
        plain = understood(said)
        for end in range(8 + number % STEP, len(said), STEP):
            for cut in understood(said[:end]) - plain:
                assert proven(said[:end]).items() <= proven(said).items(), (said[:end], cut)


@pytest.mark.whole
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

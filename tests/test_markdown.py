"""The report as Markdown, read by a CommonMark parser: what strangers wrote is words and code, never markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import steps_example as example
from markdown_it import MarkdownIt
from markdown_it.token import Token
from test_screen import ATTACK, harmful_in, report_saying

from cudacheck.model.findings import Finding, Remedy, Severity
from cudacheck.model.report import State, Verdict
from cudacheck.render import as_text
from cudacheck.render.formats import markdown

MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "<!-- x",
    "--> x",
    "[a](javascript:alert(1))",
    "![a](https://evil.example/x.png)",
    "[a]: https://evil.example/x",
    "<https://evil.example>",
    "a `b` ``c",
    "```",
    "~~~~",
    "**a** __b__ ~~c~~ *d* _e_",
    "# a",
    "- a",
    "+ a",
    "* a",
    "1. a",
    "1) a",
    "> a",
    "===",
    "---",
    "| a | b |",
    "|---|---|",
    "    a",
    "&lt;b&gt; &#64;x",
    "a\\",
    "\\<b>",
    "$a$",
)
SPEAKING = ("@octocat", "#12", "o/r#12", "GH-12", "https://github.com/o/r/issues/12", "www.evil.example", ":tada:")
WORDS = {"text", "code_inline", "strong_open", "strong_close", "softbreak"}
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def report_of(words: str, *, broken: bool = False) -> str:
    """One in whose every field these words stand."""
    finding = Finding(
        words, remedies=(Remedy(words, (words,), words, verify=words),), severity=Severity.ERROR, rule="r"
    )
    changed = {"verdict": Verdict(State.BROKEN, words), "findings": (finding,)} if broken else {}
    return as_text(report_saying(words, **changed), "markdown", verbose=True)


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def structure(tokens: list[Token]) -> list[tuple[str, str]]:
    """The blocks, and the HTML in them, which is ours."""
    return [(token.type, token.content if token.type == "html_block" else token.tag) for token in tokens]


@pytest.mark.parametrize("broken", [False, True], ids=["not proven", "broken"])
@pytest.mark.parametrize("words", [*MARKUP, *SPEAKING])
def test_what_strangers_wrote_is_no_markup(words, broken):
    told = PARSER.parse(report_of(words, broken=broken))
    assert structure(told) == structure(PARSER.parse(report_of("a b", broken=broken)))
    assert {token.type for token in inline(told)} <= WORDS
    blocks = [token.content for token in told if token.type == "html_block"]
    assert all(re.fullmatch(r"(<details><summary>[a-z ]+</summary>|</details>)\n?", block) for block in blocks)


@pytest.mark.parametrize("words", MARKUP)
def test_what_strangers_wrote_is_read_as_it_is(words):
    (heading, *_) = [token for token in PARSER.parse(report_of(words)) if token.type == "inline"]
    read = "".join(token.content for token in heading.children or ())
    assert read == f"? {words.strip()}"


@pytest.mark.parametrize("words", SPEAKING)
def test_nobody_is_called_and_nothing_linked(words):
    """What GitHub looks for in text it does not look for in code."""
    for token in inline(PARSER.parse(report_of(f"see ({words}), please"))):
        assert words not in token.content or token.type == "code_inline"


def test_versions_and_names_need_no_escape():
    for plain in ("2.11.0+cu130", "libcudnn_ops.so.9", "580.159.04 · serves CUDA 13.0", "a (b, c): d"):
        assert markdown.prose(plain) == plain


def test_nothing_in_a_block_ends_it():
    told = PARSER.parse(markdown.block(["a", "````", "<b>"]))
    assert [(token.type, token.content) for token in told] == [("fence", "a\n````\n<b>\n")]


def test_a_command_is_copied_as_it_is():
    command = "python -m pip install 'torch==2.9.0' --index-url https://x/whl/cu128 # `a` | <b>"
    finding = Finding("m", remedies=(Remedy("t", (command,)),), severity=Severity.ERROR, rule="r")
    told = as_text(report_saying("a", findings=(finding,), verdict=Verdict(State.BROKEN, "m")), "markdown")
    assert f"{command}\n" in [token.content for token in PARSER.parse(told) if token.type == "fence"]


def test_it_shows_all_that_the_screen_shows():
    """But for how lines are broken and filled."""
    whole = example.report(*example.EVERYTHING)
    told = PARSER.parse(as_text(whole, "markdown"))
    read = [token.content for token in (*inline(told), *told) if token.content and token.type != "inline"]
    words = {*re.findall(r"\w+", " ".join(read))}
    shown = {*re.findall(r"\w+", as_text(whole, width=markdown.TABLE_WIDTH))}
    assert shown - words == {"evidence"}  # a list below its finding needs no label


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_nothing_harmful_reaches_the_file(encoding):
    told = as_text(report_saying(f"a {ATTACK} b"), "markdown", verbose=True, encoding=encoding)
    assert not harmful_in(told)
    told.encode(encoding)


def test_the_ending_chooses_it(tmp_path):
    from typer.testing import CliRunner

    from cudacheck.cli.app import app

    saved = tmp_path / "a.md"
    told = CliRunner().invoke(app, ["doctor", "--from", "-", "--output", str(saved)], input="torch==2.9.0+cpu\n")
    assert told.exit_code in {0, 1}
    assert Path(saved).read_text(encoding="utf-8").startswith("## ?")

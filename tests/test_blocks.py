"""Every code block of README and docs is parsed: shells, programs, settings, and each `cudacheck` command line.

Blocks that can be run here are run where their page is tested: test_ci_docs.py, test_fleet_engines.py,
test_slurm_node.py, test_tickets_page.py, test_readme.py, tests/lint/.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import typer
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cudacheck.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OF_OTHER_TESTS = {"groovy": "docs/ci.md", "dockerfile": "docs/ci.md"}
"""Languages without a parser here, and the only page that may use them, as another test reads them there."""
OUTPUT = {"", "text", "{include}", "{toctree}", "{eval-rst}"}
"""What is printed, or is Sphinx' own: tests/test_site.py."""


WITH_BLOCKS = [page for page in PAGES if "```" in page.read_text(encoding="utf-8")]
WITH_COMMANDS = [page for page in PAGES if "cudacheck " in page.read_text(encoding="utf-8")]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@lru_cache
def tokens(page: Path) -> list[Token]:
    """Read by the tests, not when they are collected: that each worker does anew."""
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def fences(page: Path) -> list[tuple[str, str]]:
    return [(token.info.partition(" ")[0], token.content) for token in tokens(page) if token.type == "fence"]


def parse(language: str, text: str) -> None:
    """Raises where it is not what it says that it is."""
    if language in {"sh", "bash"}:
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
    elif language == "python":
        ast.parse(text)
    elif language == "toml":
        tomllib.loads(text)
    elif language == "yaml":
        assert yaml.safe_load(text)
    elif language == "json":
        json.loads(text)
    elif language == "ini":
        configparser.ConfigParser().read_string(text if text.startswith("[") else f"[all]\n{text}")
    else:
        raise AssertionError(f"nothing here reads {language!r}")


def refusals(page: Path) -> Iterator[str]:
    for language, text in fences(page):
        if language not in OUTPUT and OF_OTHER_TESTS.get(language) != name_of(page):
            try:
                parse(language, text)
            except (AssertionError, SyntaxError, ValueError, yaml.YAMLError) as error:
                yield f"{error} in {language}: {text}"


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
def test_every_block_is_what_it_says(page: Path):
    assert [*refusals(page)] == []


def command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of each `cudacheck` in a shell's text."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        given: list[str] | None = None
        for word in [*words, ";"]:
            if set(word) <= set("|&;<>()"):
                if given:
                    yield given[1:]
                given = None
            elif given is not None:
                given.append(word)
            elif word == "cudacheck":
                given = [word]


def names(page: Path) -> Iterator[list[str]]:
    """What running text calls a command and its options by: values and arguments may be left out."""
    for token in tokens(page):
        for child in token.children or ():
            code = child.content if child.type == "code_inline" else ""
            if re.fullmatch(r"cudacheck [a-z].*", code) and "…" not in code:
                yield from command_lines(code)


def lines(page: Path) -> Iterator[list[str]]:
    """The command lines of its blocks."""
    for language, text in fences(page):
        if language in {"sh", "bash"}:
            yield from command_lines(text)


def understood(given: list[str]) -> None:
    """Raises where the command line takes no such command, option or argument. Nothing is run."""
    command, context = typer.main.get_command(app), None
    name = "cudacheck"
    while True:
        context = command.make_context(name, given, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not rest:
            return
        name, command, given = command.resolve_command(context, rest)


def not_understood(given: Iterator[list[str]]) -> Iterator[str]:
    for line in sorted({*map(shlex.join, given)}):
        try:
            understood(shlex.split(line))
        except Exception as error:  # Click's, which Typer brings under a name of its own
            yield f"{line}: {error}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_every_command_line_is_understood(page: Path):
    assert [*not_understood(lines(page))] == []


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_every_name_is_that_of_a_command(page: Path):
    wrong = not_understood(names(page))
    assert [one for one in wrong if not re.search("Missing parameter|requires an argument", one)] == []


@pytest.mark.parametrize("line", ["doctor --no-such-option", "no-such-command", "fleet judge --no-such-option x"])
def test_what_is_no_command_line_is_refused(line: str):
    with pytest.raises(Exception, match=r"(?i)no such"):
        understood(shlex.split(line))


@pytest.mark.parametrize(("language", "text"), [("sh", "if true"), ("python", "a b"), ("toml", "a ="), ("perl", "1;")])
def test_what_is_no_block_of_its_language_is_refused(language: str, text: str):
    with pytest.raises((AssertionError, SyntaxError, ValueError)):
        parse(language, text)


def test_there_is_much_to_look_at():
    assert sum(len(fences(page)) for page in WITH_BLOCKS) > 60
    assert sum(1 for page in WITH_COMMANDS for _ in lines(page)) > 50
    assert sum(1 for page in WITH_COMMANDS for _ in names(page)) > 50

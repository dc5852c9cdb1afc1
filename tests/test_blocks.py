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
from pathlib import Path

import pytest
import typer
import yaml
from markdown_it import MarkdownIt

from cudacheck.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OF_OTHER_TESTS = {"groovy": "docs/ci.md", "dockerfile": "docs/ci.md"}
"""Languages without a parser here, and the only page that may use them, as another test reads them there."""
OUTPUT = {"", "text", "{include}", "{toctree}", "{eval-rst}"}
"""What is printed, or is Sphinx' own: tests/test_site.py."""


def fences(page: Path) -> list[tuple[str, str]]:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [(token.info.partition(" ")[0], token.content) for token in tokens if token.type == "fence"]


BLOCKS = [
    (page.relative_to(ROOT).as_posix(), *block) for page in PAGES for block in fences(page) if block[0] not in OUTPUT
]


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


@pytest.mark.parametrize(("page", "language", "text"), BLOCKS, ids=[f"{b[0]}-{n}" for n, b in enumerate(BLOCKS)])
def test_a_block_is_what_it_says(page: str, language: str, text: str):
    if OF_OTHER_TESTS.get(language) != page:
        parse(language, text)


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
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            code = child.content if child.type == "code_inline" else ""
            if re.fullmatch(r"cudacheck [a-z].*", code) and "…" not in code:
                yield from command_lines(code)


SHELLS = [(page, text) for page, language, text in BLOCKS if language in {"sh", "bash"}]
LINES = sorted({(page, shlex.join(line)) for page, text in SHELLS for line in command_lines(text)})
NAMES = sorted({(page.relative_to(ROOT).as_posix(), shlex.join(line)) for page in PAGES for line in names(page)})


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


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_a_command_line_is_understood(page: str, line: str):
    understood(shlex.split(line))


@pytest.mark.parametrize(("page", "line"), NAMES, ids=[f"{page}: {line}" for page, line in NAMES])
def test_a_name_is_that_of_a_command(page: str, line: str):
    try:
        understood(shlex.split(line))
    except Exception as error:  # Click's, which Typer brings under a name of its own
        if not re.search("Missing parameter|requires an argument", str(error)):
            raise


@pytest.mark.parametrize("line", ["doctor --no-such-option", "no-such-command", "fleet judge --no-such-option x"])
def test_what_is_no_command_line_is_refused(line: str):
    with pytest.raises(Exception, match=r"(?i)no such"):
        understood(shlex.split(line))


@pytest.mark.parametrize(("language", "text"), [("sh", "if true"), ("python", "a b"), ("toml", "a ="), ("perl", "1;")])
def test_what_is_no_block_of_its_language_is_refused(language: str, text: str):
    with pytest.raises((AssertionError, SyntaxError, ValueError)):
        parse(language, text)


def test_there_is_much_to_look_at():
    assert len(BLOCKS) > 60
    assert len(LINES) > 50
    assert len(NAMES) > 50

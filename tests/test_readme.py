"""README: its picture and its screens are what is printed, it names every command, and the Chinese one keeps step.

`python tests/test_readme.py` draws the picture anew.
"""

from __future__ import annotations

import os
import re
import shlex
from html import unescape
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from cudacheck.cli.app import app

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PICTURE = ROOT / "docs" / "pictures" / "doctor.svg"
REPLAY = ROOT / "tests" / "replays" / "h200-bench-kernels.json"
COLUMNS = 100


def printed(arguments: str, *, colour: bool = False) -> str:
    """What a terminal of that width gets."""
    given = [*shlex.split(arguments), "--color", "always" if colour else "never"]
    return CliRunner().invoke(app, given, env={"COLUMNS": str(COLUMNS)}).stdout


def first_screen() -> str:
    """The verdict, the findings and the machine: what stands above the table of kernels."""
    lines = printed(f"doctor --from {REPLAY}", colour=True).splitlines()
    above = takewhile(lambda line: not re.match(r"\s*GPU 0 \(", Text.from_ansi(line).plain), lines)
    return "\n".join(above).rstrip()


def picture(screen: str) -> str:
    """The screen as SVG, without the fonts that Rich would have a reader fetch."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(screen))
    drawn = console.export_svg(title="cudacheck doctor --from h200.json", unique_id="doctor")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def words_of(drawn: str) -> list[str]:
    """What stands in a picture. Where each letter stands is the business of the Rich that is installed."""
    return [unescape(text).replace("\xa0", " ").strip() for text in re.findall(r"<text[^>]*>(.*?)</text>", drawn)]


def test_the_picture_is_what_the_replay_prints():
    kept = PICTURE.read_text(encoding="utf-8")
    assert words_of(kept) == words_of(picture(first_screen())), "run `python tests/test_readme.py`"
    assert "ready, but attention stalls" in "".join(words_of(kept))
    assert set(re.findall(r"https?://[^\s\"<>]+", kept)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_the_sample_is_what_the_command_above_it_prints(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    fences = [token for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) if token.type == "fence"]
    told = [(before.content, after.content) for before, after in pairwise(fences) if after.info == "text"]
    assert len(told) == 1
    for command, screen in told:
        assert printed(command.removeprefix("cudacheck ")).startswith(screen)


def test_every_command_has_its_line():
    commands = CliRunner().invoke(app, ["--help"]).stdout.partition("Commands:")[2]
    listed = ENGLISH.read_text(encoding="utf-8").partition("## Commands")[2]
    named = re.findall(r"^  (\w+)", commands, flags=re.MULTILINE)
    assert len(named) > 8
    assert {*named} == set(re.findall(r"^\| `cudacheck (\w+)", listed, flags=re.MULTILINE))


def outline(page: Path) -> list[tuple[str, str]]:
    """What both languages have alike: headings by their level, blocks, the commands of tables, links, pictures."""
    told: list[tuple[str, str]] = []
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "heading_open":
            told.append(("heading", token.tag))
        if token.type == "fence":
            told.append((token.info, token.content))
        for child in token.children or ():
            if child.type == "code_inline" and child.content.startswith("cudacheck"):
                told.append(("command", child.content))
            if child.type == "image":
                told.append(("picture", str(child.attrs["src"])))
    return told


def test_the_chinese_one_has_the_same_headings_and_commands():
    english, chinese = outline(ENGLISH), outline(CHINESE)
    assert len(english) > 25
    assert [of for of in english if of not in chinese] == []
    assert english == chinese


def links(page: Path) -> set[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return {link.partition("#")[0] for link in found if "://" not in link}


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert [link for link in links(page) if not (ROOT / link).exists()] == []


def test_both_link_to_the_same_pages():
    own = {"README.md", "README.zh-CN.md", "docs/zh/article.md"}
    assert links(ENGLISH) - own == links(CHINESE) - own


if __name__ == "__main__":
    PICTURE.write_text(picture(first_screen()), encoding="utf-8")

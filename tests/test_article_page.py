"""The Chinese page on the article judges each step as the table does, and its measured table is that of docs/steps.md.

Its command blocks are generated: tests/test_docs.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cudacheck.model.facts import Facts
from cudacheck.remedies.article import STEPS, ArticleStep, block

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "zh" / "article.md").read_text(encoding="utf-8")
VERDICTS = {
    "成立": "true",
    "不成立": "false",
    "过时": "outdated",
    "误导": "misleading",
    "遗漏": "missing",
    "无法核实": "unverifiable",
    "不可信": "implausible",
}
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
FIGURE = r"\d+(?:\.\d+)*"


def figures(text: str) -> set[str]:
    return set(re.findall(FIGURE, text))


def test_it_has_each_step():
    assert [row[0] for row in ROWS] == [str(number) for number, _ in enumerate(STEPS, 1)]


@pytest.mark.parametrize(("row", "step"), [*zip(ROWS, STEPS, strict=True)], ids=[row[0] for row in ROWS])
def test_a_step_is_judged_as_in_the_table(row: list[str], step: ArticleStep):
    _, claim, verdict, truth, *blocks = row
    assert VERDICTS[verdict] == step.verdict
    assert "".join(blocks).strip(" |") == (f"[C{step.block}](#c{step.block})" if step.block else "")
    assert figures(step.claim) <= figures(claim)
    assert figures(step.truth) <= figures(truth)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_block_has_its_figures_and_what_it_names(number: int):
    section = re.split(r"^### C\d$", PAGE, flags=re.MULTILINE)[number]
    assert figures(block(number, Facts()).title) <= figures(section)


def measured(page: str, heading: str) -> list[list[str]]:
    """Names and figures of the ladder's table."""
    lines = [line for line in page.partition(heading)[2].splitlines() if line.count("|") == 10]
    return [re.findall(rf"`[\w-]+`|{FIGURE}", line) for line in lines[2:]]


def test_the_measured_table_is_that_of_the_steps():
    ours = measured(PAGE, "## 在 H200 上实测")
    assert len(ours) == 11
    assert ours == measured((DOCS / "steps.md").read_text(encoding="utf-8"), "## What an H200 gave")


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#\s]+)", PAGE)
    assert links
    assert [link for link in links if not (DOCS / "zh" / link).exists()] == []

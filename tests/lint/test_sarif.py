"""SARIF, held against the schema that OASIS publishes, over everything that the corpus makes lint say.

The schema is `sarif-2.1/schema/sarif-schema-2.1.0.json` of https://github.com/oasis-tcs/sarif-spec at commit e058381,
as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tree_sitter_bash", reason="needs the extra: pip install cudacheck[lint]")

import jsonschema
from corpus_cases import FOLDER, cases

from cudacheck.lint.linting import lint
from cudacheck.lint.rule import rules
from cudacheck.render import Shown, format_of

DATA = Path(__file__).parents[1] / "data"
SCHEMA = jsonschema.Draft4Validator(
    json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
)


def sarif(files: Iterable[tuple[str, str]]) -> Any:
    return json.loads(format_of("sarif", "lint").render(lint(files), Shown()))


def complaints(told: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in SCHEMA.iter_errors(told)]


def test_all_that_lint_says_of_the_corpus_is_what_the_schema_allows():
    faulty = [(f"{number}/{case.files[0][0]}", case.files[0][1]) for number, case in enumerate(cases("faulty.txt"))]
    article = [(f"文章 {name}", (FOLDER / name).read_text(encoding="utf-8")) for name in ("article_zh.txt",)]
    told = sarif([*faulty, *article, ("/root/a b.sh", "pip install numpy>=2\n"), ("bad.py", "import gradio as ( \n")])
    assert complaints(told) == []
    (run,) = told["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len({*ids}) > len(rules()) / 2
    # What reads it goes by the index, where there is one: it must lead to the rule of that name.
    assert all(ids[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == ["this does not parse as Python 3"]


def test_a_fix_replaces_what_it_says():
    text = "echo 你好 && pip install numpy>=2\n"
    (result,) = sarif([("a.sh", text)])["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    region = replacement["deletedRegion"]
    assert text[region["startColumn"] - 1 : region["endColumn"] - 1] == "numpy>=2"
    assert (change["artifactLocation"]["uri"], replacement["insertedContent"]["text"]) == ("a.sh", '"numpy>=2"')


def test_nothing_found_is_a_log_as_well():
    assert complaints(sarif([("a.sh", "true\n")])) == []


@pytest.mark.parametrize(
    "spoilt",
    [{"version": "2.0"}, {"runs": [{"results": []}]}, {"runs": [{"tool": {"driver": {"name": "a"}}, "results": [{}]}]}],
)
def test_the_schema_refuses_what_is_no_sarif(spoilt: dict[str, Any]):
    assert complaints(sarif([("a.sh", "true\n")]) | spoilt)

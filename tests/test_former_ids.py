"""A rule that is renamed still answers to its former id: in a copy of the package, asked through real processes."""

from __future__ import annotations

import collections
import json

import pytest
from copies import Copy

from cudacheck.registry import rules

pytestmark = pytest.mark.whole

PASTE = "Package Version\n------- -------\ntorch 2.13.0.dev20260530+cu132\n"
OLD, NEW = "torch-nightly", "torch-of-the-night"


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """A package with one rule renamed by what CONTRIBUTING.md asks for."""
    copy = Copy(tmp_path_factory.mktemp("renamed"))
    old, new = (copy.package / "rules" / f"{name.replace('-', '_')}.py" for name in (OLD, NEW))
    text = old.read_text(encoding="utf-8")
    assert text.count("RULE = Rule(") == 1
    new.write_text(text.replace("RULE = Rule(", f'RULE = Rule(\n    was=("{OLD}",),'), encoding="utf-8")
    old.unlink()
    return copy


def found_by(copy: Copy, *arguments: str) -> set[str]:
    return {finding["rule"] for finding in copy.doctor("--from", "-", *arguments, stdin=PASTE)["findings"]}


def test_ignoring_the_former_id_leaves_the_rule_out(renamed):
    assert NEW in found_by(renamed)
    assert not {OLD, NEW} & found_by(renamed, "--ignore", OLD)
    assert not {OLD, NEW} & found_by(renamed, "--ignore", NEW)


def test_a_saved_report_that_names_the_former_id_is_judged_alike(renamed):
    saved = renamed.doctor("--from", "-", stdin=PASTE)
    for finding in saved["findings"]:
        finding["rule"] = finding["rule"].replace(NEW, OLD)
    assert OLD in {finding["rule"] for finding in saved["findings"]}
    told = renamed.run("doctor", "--from", "-", stdin=json.dumps(saved))
    assert NEW in told.stdout
    assert told.stderr == ""


def test_explain_shows_the_page_of_today(renamed):
    told = renamed.run("explain", OLD)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"# {NEW}\n")
    assert f"formerly `{OLD}`" in told.stdout


def test_an_id_means_one_rule_for_ever():
    names = collections.Counter(name for rule in rules() for name in rule.names)
    assert [name for name, count in names.items() if count > 1] == []

"""A rule that is renamed still answers to its former id: in a copy of the package, asked through real processes."""

from __future__ import annotations

import collections
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from patients import clean_environment

import cudacheck
from cudacheck.registry import rules

pytestmark = pytest.mark.whole

PASTE = "Package Version\n------- -------\ntorch 2.13.0.dev20260530+cu132\n"
OLD, NEW = "torch-nightly", "torch-of-the-night"


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """A folder that holds the package with one rule renamed by what CONTRIBUTING.md asks for."""
    folder = tmp_path_factory.mktemp("renamed")
    package = folder / "cudacheck"
    shutil.copytree(Path(cudacheck.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    old, new = (package / "rules" / f"{name.replace('-', '_')}.py" for name in (OLD, NEW))
    text = old.read_text(encoding="utf-8")
    assert text.count("RULE = Rule(") == 1
    new.write_text(text.replace("RULE = Rule(", f'RULE = Rule(\n    was=("{OLD}",),'), encoding="utf-8")
    old.unlink()
    return folder


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cudacheck", *arguments],
        input=PASTE,
        cwd=folder,  # whose package `-m` takes
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found_by(folder: Path, *arguments: str) -> set[str]:
    told = asked(folder, "doctor", "--from", "-", "--format", "json", *arguments)
    assert told.returncode in {0, 1}, told.stderr
    return {finding["rule"] for finding in json.loads(told.stdout)["findings"]}


def test_ignoring_the_former_id_leaves_the_rule_out(renamed):
    assert NEW in found_by(renamed)
    assert not {OLD, NEW} & found_by(renamed, "--ignore", OLD)
    assert not {OLD, NEW} & found_by(renamed, "--ignore", NEW)


def test_explain_shows_the_page_of_today(renamed):
    told = asked(renamed, "explain", OLD)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"# {NEW}\n")
    assert f"formerly `{OLD}`" in told.stdout


def test_an_id_means_one_rule_for_ever():
    names = collections.Counter(name for rule in rules() for name in rule.names)
    assert [name for name, count in names.items() if count > 1] == []

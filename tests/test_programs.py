"""docs/programs.md: its commands run, in order and in one folder, and the answers are what their schemas say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.whole

PAGE = (Path(__file__).parents[1] / "docs" / "programs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """After all commands of the page; `cudacheck` is the one of this interpreter."""
    where = tmp_path_factory.mktemp("programs")
    (where / "bin").mkdir()
    program = where / "bin" / "cudacheck"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cudacheck "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    for block in BLOCKS:
        told = subprocess.run(
            ["sh", "-ec", block],
            cwd=where,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert told.returncode == 0, f"{block}{told.stderr}"
    return where


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_block_is_run():
    assert len(BLOCKS) == PAGE.count("```") // 2


@pytest.mark.parametrize(
    ("document", "schema"),
    [("report", "report"), ("first", "report"), ("pasted", "report"), ("rules", "explain")],
)
def test_the_answers_are_what_their_schemas_say(folder, document, schema):
    jsonschema.validate(read(folder / f"{document}.json"), read(folder / f"{schema}.schema.json"))


def test_what_the_page_says_of_a_report_is_in_it(folder):
    (finding, *_) = read(folder / "pasted.json")["findings"]
    assert {"caused_by", "remedies"} <= finding.keys()
    (question, *_) = read(folder / "first.json")["questions"]
    assert {"command", "answers"} <= question.keys()
    assert {"verdict", "questions", "requirements"} <= read(folder / "report.json").keys()
    assert {"needs_root", "needs_reboot"} <= read(folder / "report.schema.json")["$defs"]["Remedy"]["properties"].keys()

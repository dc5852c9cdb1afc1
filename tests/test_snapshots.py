"""What a reader sees: every replay in every format, and first screens of typical tickets, kept letter by letter.

Where a change is meant, `python tests/test_snapshots.py` writes them anew; the difference is then read like code.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cudacheck.cli.app import app

HERE = Path(__file__).parent
KEPT = HERE / "snapshots"
REPLAYS = sorted((HERE / "replays").glob("*.json"))
FORMATS = ("text", "json")
SCREENS = sorted((HERE / "tickets").glob("*.txt"))[::5]
"""One ticket in five: about fifteen first screens."""
OF_THE_DAY = ("created", "seconds", "cudacheck_version", "knowledge_date", "facts", "complete")
"""What is another in each run, and the facts, which are the replay's own."""


def shown(path: Path, *arguments: str) -> str:
    told = CliRunner().invoke(app, ["doctor", "--from", "-", *arguments], input=path.read_bytes()).stdout
    return re.sub(r"knowledge of [\d-]+", "knowledge of DATE", told)


def of_replay(path: Path, format_name: str) -> str:
    told = shown(path, "--format", format_name, "--verbose")
    if format_name != "json":
        return told
    return json.dumps({k: v for k, v in json.loads(told).items() if k not in OF_THE_DAY}, indent=1) + "\n"


def of_screen(path: Path) -> str:
    return shown(path)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_a_replay_shows_what_it_showed(path, format_name):
    assert of_replay(path, format_name) == (KEPT / f"{path.stem}.{format_name}").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_a_ticket_shows_what_it_showed(path):
    assert of_screen(path) == (KEPT / f"ticket-{path.stem}.txt").read_text(encoding="utf-8")


def test_nothing_is_kept_in_vain():
    kept = {f"{path.stem}.{name}" for path in REPLAYS for name in FORMATS} | {f"ticket-{p.stem}.txt" for p in SCREENS}
    assert {path.name for path in KEPT.iterdir()} == kept


if __name__ == "__main__":
    os.environ.update(COLUMNS="100", NO_COLOR="1")
    for path in REPLAYS:
        for name in FORMATS:
            (KEPT / f"{path.stem}.{name}").write_text(of_replay(path, name), encoding="utf-8")
    for path in SCREENS:
        (KEPT / f"ticket-{path.stem}.txt").write_text(of_screen(path), encoding="utf-8")

"""What a reader sees: every replay in every format, first screens of typical tickets, and what each rule says of its
examples with what there is to type, kept letter by letter.

Where a change is meant, `python tests/test_snapshots.py` writes them anew; the difference is then read like code.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path

import pytest
from test_rules import facts_of
from typer.testing import CliRunner

from cudacheck import render
from cudacheck.cli.app import app
from cudacheck.judging.judge import judge
from cudacheck.model.findings import Finding, Remedy
from cudacheck.model.rule import Rule
from cudacheck.registry import rules

HERE = Path(__file__).parent
KEPT = HERE / "snapshots"
REPLAYS = sorted((HERE / "replays").glob("*.json"))
FORMATS = [name for name in render.formats() if name != "html"]
"""A page is looked at in a browser: tests/test_page.py."""
SCREENS = [path for path in sorted((HERE / "tickets").glob("*.txt")) if zlib.crc32(path.stem.encode()) % 5 == 0]
"""One ticket in five, by its name: another ticket leaves the others' screens as they are."""
EXAMPLES = KEPT / "examples"
OF_NOW = r'^(cudacheck_(?:run|knowledge)_timestamp_seconds |.* timestamp=")[\w.+:-]+'
OF_THE_DAY = ("created", "seconds", "cudacheck_version", "knowledge_date", "facts", "complete")
"""What is another in each run, and the facts, which are the replay's own."""


def shown(path: Path, *arguments: str) -> str:
    told = CliRunner().invoke(app, ["doctor", "--from", "-", *arguments], input=path.read_bytes()).stdout
    return re.sub(r"knowledge of [\d-]+", "knowledge of DATE", told)


def of_replay(path: Path, format_name: str) -> str:
    told = shown(path, "--format", format_name, "--verbose")
    if format_name in {"prometheus", "junit"}:
        return re.sub(OF_NOW, r"\1TIME", told, flags=re.MULTILINE)
    if format_name != "json":
        return told
    return json.dumps({k: v for k, v in json.loads(told).items() if k not in OF_THE_DAY}, indent=1) + "\n"


def of_screen(path: Path) -> str:
    return shown(path)


def of_examples(rule: Rule) -> str:
    """What the rule says of each of its examples and what to type, and which other rules speak."""
    examples = [(kind, name, facts) for kind in ("fires", "quiet") for name, facts in getattr(rule, kind).items()]
    return "\n".join(f"# {kind}: {name}\n{of_example(rule, facts)}" for kind, name, facts in examples)


def of_example(rule: Rule, facts: tuple[object, ...]) -> str:
    found = judge(facts_of(facts)).findings
    own = [of_finding(finding) for finding in found if finding.rule == rule.id]
    return "".join([*own, *(f"({f.rule}, {f.severity})\n" for f in found if f.rule != rule.id)])


def of_finding(finding: Finding) -> str:
    cause = f", because of {finding.caused_by}" if finding.caused_by else ""
    lines = [f"{finding.severity}, {finding.fix_by}{cause}: {finding.message}"]
    lines += [f"    {evidence.fact}  [{evidence.found_in}]" for evidence in finding.evidence]
    return "\n".join([*lines, *map(of_remedy, finding.remedies), ""])


def of_remedy(remedy: Remedy) -> str:
    marks = [name for name in ("needs_root", "needs_reboot") if getattr(remedy, name)]
    typed = [*remedy.commands, *remedy.edit.splitlines(), *([f"verify: {remedy.verify}"] if remedy.verify else [])]
    return "\n".join([" ".join([f"- {remedy.title}", *marks]), *(f"    $ {line}" for line in typed)])


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


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_an_example_says_what_it_said(rule):
    assert of_examples(rule) == (EXAMPLES / f"{rule.id}.txt").read_text(encoding="utf-8")


def test_nothing_is_kept_in_vain():
    kept = {f"{path.stem}.{name}" for path in REPLAYS for name in FORMATS} | {f"ticket-{p.stem}.txt" for p in SCREENS}
    assert {path.name for path in KEPT.iterdir() if path.is_file()} == kept
    assert {path.stem for path in EXAMPLES.iterdir()} == {rule.id for rule in rules()}


if __name__ == "__main__":
    os.environ.update(COLUMNS="100", NO_COLOR="1")
    for rule in rules():
        (EXAMPLES / f"{rule.id}.txt").write_text(of_examples(rule), encoding="utf-8")
    for path in REPLAYS:
        for name in FORMATS:
            (KEPT / f"{path.stem}.{name}").write_text(of_replay(path, name), encoding="utf-8")
    for path in SCREENS:
        (KEPT / f"ticket-{path.stem}.txt").write_text(of_screen(path), encoding="utf-8")

"""docs/tickets.md: every command in it runs, every picture is there, and the issue form is one that GitHub takes."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from patients import clean_environment
from PIL import Image

from cudacheck.reports import folding

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tickets.md").read_text(encoding="utf-8")
FORM = ROOT / "docs" / "issue-form" / "gpu-ticket.yml"
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
PASTE = (ROOT / "tests" / "tickets" / "driver-too-old-by-versions.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands are typed one after another, with `cudacheck` on PATH."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "paste.txt").write_text(PASTE, encoding="utf-8")
    program = folder / "bin" / "cudacheck"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cudacheck "$@"\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**clean_environment(), "PATH": path, "PYTHONPATH": str(ROOT)},
    )


def test_it_names_commands():
    assert len(COMMANDS) >= 6
    assert all(line.startswith("cudacheck ") for line in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(folder, command):
    for name in ("ticket.md", "ticket.html", "report.html"):
        (folder / name).unlink(missing_ok=True)
    if "--from ticket.md" in command:
        typed("cudacheck ticket --from paste.txt -o ticket.md", folder)
    told = typed(command, folder)
    assert told.returncode in ({0, 1} if " doctor " in command else {0}), told.stderr
    assert "Traceback" not in told.stderr
    for name in re.findall(r"(?:-o|--output) (\S+)", command):
        assert typed(f"cudacheck doctor --from {name} --fail-on never", folder).returncode == 0


def test_every_extra_that_is_named_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"cudacheck\[(\w+)\]", TEXT))
    assert named == {"html"}
    assert named <= {*project["optional-dependencies"]}


def test_its_pictures_are_there_and_described():
    pictures = re.findall(r"!\[(.+?)\]\((\S+)\)", TEXT, re.DOTALL)
    assert len(pictures) == 2
    for words, name in pictures:
        path = ROOT / "docs" / name
        assert len(words) > 60
        assert path.stat().st_size < 150_000
        with Image.open(path) as picture:
            assert picture.width in {390, 1000}


def test_the_form_is_one_that_github_takes():
    """As https://docs.github.com/en/communities/using-templates/syntax-for-githubs-form-schema has it."""
    form = yaml.safe_load(FORM.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= {*form} <= {"name", "description", "body", "title", "labels", "assignees"}
    ids = [field["id"] for field in form["body"]]
    assert len({*ids}) == len(ids)
    for field in form["body"]:
        assert re.fullmatch(r"[\w-]+", field["id"])
        assert field["type"] in {"textarea", "checkboxes", "input", "dropdown", "markdown"}
        assert field["attributes"]["label"]
        # As code it would be fenced, and the ticket's own fences would end it.
        assert "render" not in field["attributes"]
    assert "cudacheck ticket -o ticket.md" in COMMANDS
    ticket = next(field["attributes"] for field in form["body"] if field["id"] == "ticket")
    assert "`cudacheck ticket -o ticket.md`" in ticket["description"]
    assert ticket["placeholder"] == folding.BEGIN

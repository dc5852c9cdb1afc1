"""tools/refresh_knowledge.py on stored answers of the indexes: what it finds, and that the table takes it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from present import present

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
spec = present(importlib.util.spec_from_file_location("refresh_knowledge", ROOT / "tools" / "refresh_knowledge.py"))
refresh = importlib.util.module_from_spec(spec)
sys.modules["refresh_knowledge"] = refresh  # its dataclasses look themselves up there
present(spec.loader).exec_module(refresh)

TEXT = refresh.TABLE.read_text(encoding="utf-8")
TABLE = tomllib.loads(TEXT)


def without(line_start: str) -> str:
    kept = [line for line in TEXT.splitlines(keepends=True) if not line.startswith(line_start)]
    assert len(kept) < len(TEXT.splitlines())
    return "".join(kept)


def refreshed(text: str, answers) -> dict:
    return tomllib.loads(refresh.edited(text, refresh.changes(answers, tomllib.loads(text)), answers.date))


def test_the_tables_say_what_the_indexes_say():
    """Every release from 2.0 on: default build, Pythons, partners' ranges."""
    answers = refresh.read(DATA)
    assert len(answers.packages["torch"]) > 25
    assert refresh.changes(answers, TABLE) == []


@pytest.mark.parametrize("version", ["2.15.0", "2.13.0", "2.8.0"])
def test_a_release_that_is_missing_comes_back(version):
    answers = refresh.read(DATA)
    table = refreshed(without(f'  {{ version = "{version}"'), answers)
    found = next(row for row in table["releases"] if row["version"] == version)
    known = next(row for row in TABLE["releases"] if row["version"] == version)
    for key in ("default", "pythons", "verified", "torchvision", "companions_verified"):
        assert found[key] == known[key], key
    assert answers.date in found["source"]


def test_what_the_tables_have_otherwise_is_replaced():
    wrong = TEXT.replace(
        'version = "2.14.0", released = "2026-09", default = "cu130"', 'version = "2.14.0", default = "cu126"'
    )
    table = refreshed(wrong, refresh.read(DATA))
    rows = [row for row in table["releases"] if row["version"] == "2.14.0"]
    assert [row["default"] for row in rows] == ["cu130"]
    assert rows[0]["torchvision"] == "0.29.0"
    assert len(table["releases"]) == len(TABLE["releases"])


def test_a_partner_with_a_range_is_found():
    kept = TEXT.replace('versions = "0.29.1 0.29.2"', 'versions = "0.29.1"')
    table = refreshed(kept, refresh.read(DATA))
    assert {"package": "torchvision", "versions": "0.29.2", "torch": ">=2.14.0"}.items() <= table["partners"][
        -1
    ].items()


PAGE = """<!DOCTYPE html><html><body><h1>Links for torch</h1>
<a href="/whl/cu130/torch-2.16.0%2Bcu130-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=00" data-x="1">torch</a><br/>
<a href="/whl/cu130/torch-2.16.0%2Bcu130-cp312-cp312-manylinux_2_28_aarch64.whl">torch</a><br/>
<a href="/whl/cu130/torch-2.16.0%2Bcu130-cp312-cp312-win_amd64.whl">torch</a><br/>
<a href="/whl/cu130/torch-2.14.0%2Bcu130-cp312-cp312-manylinux_2_28_x86_64.whl">torch</a><br/>
<a href="/whl/cu130/torch-2.17.0.dev20261101%2Bcu130-cp312-cp312-win_amd64.whl">torch</a><br/>
<a href="/whl/cu130/torchvision-0.30.0%2Bcu130-cp312-cp312-win_amd64.whl">torchvision</a><br/>
<a href="javascript:alert(1)">torch-9.9.9</a> <a href='/whl/cu130/torch-"; x = 1-py3-none-any.whl'>torch</a>
</body></html>"""


def test_a_build_that_nobody_opened_is_not_verified(tmp_path):
    shutil.copy(DATA / "default_index.json", tmp_path)
    (tmp_path / "whl_cu130.html").write_text(PAGE)
    answers = refresh.read(tmp_path)
    assert answers.wheels == {
        ("2.16.0", "cu130", "x86_64", "linux"),
        ("2.16.0", "cu130", "aarch64", "linux"),
        ("2.16.0", "cu130", "x86_64", "windows"),
        ("2.14.0", "cu130", "x86_64", "linux"),
    }
    new = [row for row in refreshed(TEXT, answers)["builds"] if row["torch"] == "2.16.0"]
    assert len(new) == 3
    assert not any(row["verified"] or "archs" in row for row in new)
    assert all(answers.date in row["source"] for row in new)


def test_what_is_kept_is_read_again(tmp_path):
    wheel = ("2.16.0", "cu130", "x86_64", "windows")
    answers = refresh.Answers("2026-12-01", {"torch": {}, "torchvision": {}, "torchaudio": {}}, frozenset({wheel}))
    refresh.save(answers, tmp_path)
    assert refresh.read(tmp_path) == answers


def test_the_script_prints_a_diff(tmp_path):
    copy = tmp_path / "cudacheck" / "knowledge" / "torch_builds.toml"
    copy.parent.mkdir(parents=True)
    copy.write_text(without('  { version = "2.15.0"'), encoding="utf-8")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "refresh_knowledge.py", tmp_path / "tools")
    command = [sys.executable, tmp_path / "tools" / "refresh_knowledge.py", "--samples", DATA, "--write"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "+++ b/cudacheck/knowledge/torch_builds.toml" in done.stdout
    assert '+  { version = "2.15.0", default = "cu132"' in done.stdout
    assert (
        tomllib.loads(copy.read_text(encoding="utf-8"))["checked"]
        == json.loads((DATA / "default_index.json").read_text(encoding="utf-8"))["date"]
    )


def test_an_index_that_says_nothing_is_no_answer(tmp_path):
    """Whether this pip is too old to be asked, or there is no index: no empty diff that looks like peace."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, str(ROOT / "tools" / "refresh_knowledge.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("nothing was compared: pip")
    assert len(done.stderr.splitlines()) == 1

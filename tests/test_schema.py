"""The report's schema: what a version holds stays as it was, and every version that there was is still read.

schemas/ keeps the fields of each version, a line each; replays/ at least one report of each. After a change,
`python tests/test_schema.py` writes those of SCHEMA_VERSION: for a new minor, or while no release has gone out with it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cudacheck.cli.app import app
from cudacheck.model.report import SCHEMA_VERSION
from cudacheck.registry import fact_types
from cudacheck.reports import read
from cudacheck.reports.schema import json_schema

HERE = Path(__file__).parent
VERSIONS = sorted((path.stem for path in (HERE / "schemas").glob("*.txt")), key=lambda v: [*map(int, v.split("."))])
REPLAYS = sorted((HERE / "replays").glob("*.json"))
WORDS = ("title", "description", "default")
"""What may be said better without a new version."""


def plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in sorted(schema.items()) if key not in WORDS}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


def fields_of(schema: dict[str, Any]) -> list[str]:
    """One line for every field, with its type, and for every value of a list of words."""

    def lines(name: str, part: dict[str, Any]) -> Iterator[str]:
        yield from (f"{name} = {value}" for value in part.get("enum", ()))
        for field, of_field in part.get("properties", {}).items():
            needed = " required" if field in part.get("required", ()) else ""
            inner = of_field.get("properties")
            yield f"{name}.{field}{needed} {json.dumps('object' if inner else plain(of_field), separators=(',', ':'))}"
            if inner:
                yield from lines(field, of_field)

    parts = {"report": schema, **schema["$defs"]}
    return sorted(line for name, part in parts.items() for line in lines(name, part))


def kept(version: str) -> list[str]:
    return (HERE / "schemas" / f"{version}.txt").read_text(encoding="utf-8").splitlines()


def test_a_changed_schema_has_a_new_version():
    assert SCHEMA_VERSION in VERSIONS, "run `python tests/test_schema.py`"
    assert fields_of(json_schema()) == kept(SCHEMA_VERSION), (
        f"raise the minor of SCHEMA_VERSION where {SCHEMA_VERSION} was released, then `python tests/test_schema.py`"
    )


def test_the_newest_version_is_todays():
    assert VERSIONS[-1] == SCHEMA_VERSION


@pytest.mark.parametrize(("older", "newer"), [*itertools.pairwise(VERSIONS)])
def test_a_minor_only_adds(older, newer):
    """A fact may be renamed: then it is still read by the name that it had."""
    lost = sorted({*kept(older)} - {*kept(newer)})
    renamed = "|".join(read.RENAMED)
    same_major = older.partition(".")[0] == newer.partition(".")[0]
    assert not same_major or [line for line in lost if not re.match(rf"(facts\.)?({renamed})[. ]", line)] == []


def test_a_field_that_is_taken_away_or_retyped_is_noticed():
    schema = json_schema()
    before = fields_of(schema)
    gpu = schema["$defs"]["Gpu"]["properties"]
    gpu["name"]["description"] = "said better"
    assert fields_of(schema) == before
    gpu["index"] = {"type": "string"}
    del gpu["uuid"]
    assert {line.partition(" ")[0] for line in {*before} - {*fields_of(schema)}} == {"Gpu.index", "Gpu.uuid"}


def test_every_version_has_a_replay():
    told = {json.loads(path.read_text(encoding="utf-8"))["schema_version"] for path in REPLAYS}
    assert {*VERSIONS} == told


@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_a_report_of_any_version_is_read_whole(path):
    """Every fact type of ours that it holds, every probe, and which lists are whole."""
    text = path.read_text(encoding="utf-8")
    told, report = json.loads(text), read.loads(text)
    today = {name: read.RENAMED.get(name, name) for name in told["facts"]}
    types = fact_types()
    assert {*today.values()} <= {*types}
    assert {today[name]: len(facts) for name, facts in told["facts"].items()} == {
        name: len(report.facts.all(types[name])) for name in today.values()
    }
    assert all(report.facts.is_complete(types[read.RENAMED.get(name, name)]) for name in told["complete"])
    assert [run["probe"] for run in told["probes"]] == [run.probe for run in report.probes]
    assert {run.child for run in report.probes} <= {"host", "patient"}


if __name__ == "__main__":
    of_today = HERE / "schemas" / f"{SCHEMA_VERSION}.txt"
    of_today.write_text("\n".join(fields_of(json_schema())) + "\n", encoding="utf-8")
    replay = HERE / "replays" / f"schema-{SCHEMA_VERSION}.json"
    if not replay.exists():  # it is kept for ever
        asked = ["doctor", "--from", str(HERE / "replays" / "h200-doctor.json"), "--redact", "--format", "json"]
        report = json.loads(CliRunner().invoke(app, asked).stdout)
        replay.write_text(json.dumps(report, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

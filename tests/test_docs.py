"""The generated pages are current, and the command line, its help and the docs say the same."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from present import present
from typer.testing import CliRunner

from cudacheck import knowledge
from cudacheck.cli.app import app
from cudacheck.cli.schema import Of
from cudacheck.commands import explain, schema
from cudacheck.commands._printed import printed
from cudacheck.commands._rule_page import rule_page
from cudacheck.registry import rules
from cudacheck.render import reading

ROOT = Path(__file__).parents[1]
SEEN, REFERENCES = "Seen in the wild", "References"
spec = present(importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py"))
generate = importlib.util.module_from_spec(spec)
present(spec.loader).exec_module(generate)


def test_pages_are_those_of_the_checkout_that_the_generator_stands_in(tmp_path):
    """Another checkout is installed, as beside a second worktree."""
    for part in ("cudacheck", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    rule = tmp_path / "cudacheck" / "rules" / "torch_nightly.py"
    rule.write_text(rule.read_text(encoding="utf-8").replace("a nightly build.", "a build of its own.", 1), "utf-8")
    subprocess.run([sys.executable, tmp_path / "docs" / "generate.py"], cwd=ROOT, check=True, timeout=60)
    page = (tmp_path / "docs" / "rules" / "torch-nightly.md").read_text(encoding="utf-8")
    assert "The installed PyTorch is a build of its own." in page


def test_generated_pages_are_current():
    wanted = generate.pages()
    stale = [
        str(path) for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run `python docs/generate.py`"
    assert {*(ROOT / "docs" / "rules").glob("*.md"), *(ROOT / "docs" / "lint-rules").glob("*.md")} <= {*wanted}


@pytest.mark.parametrize("rule", [rule.id for rule in rules()])
def test_explain_prints_the_page(rule):
    told = CliRunner().invoke(app, ["explain", rule], env={"COLUMNS": None})  # into a file, not on a screen
    assert told.exit_code == 0
    assert told.stdout == (ROOT / "docs" / "rules" / f"{rule}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.messages], ids=lambda rule: rule.id)
def test_a_page_quotes_only_what_its_rule_hears(rule):
    rows = [row for row in knowledge.messages() if row.proves == rule.id]
    quoted = [item.removeprefix("- ").strip("` ") for item in printed(rule)[len(rows) :]]
    assert [text for text in quoted if not any(re.search(pattern, text) for pattern in rule.messages)] == []
    assert quoted or rows


def test_each_message_of_the_table_is_on_the_page_of_its_rule():
    for row in (row for row in knowledge.messages() if row.proves):
        page = (ROOT / "docs" / "rules" / f"{row.proves}.md").read_text(encoding="utf-8")
        words = max(re.split(r"\{\w+:\w+\}", row.text), key=len)
        assert words in page.partition("## What software prints")[2], row


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_a_page_tells_threads_from_documents_and_shows_what_decides_and_what_is_printed(rule):
    page = (ROOT / "docs" / "rules" / f"{rule.id}.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", page, re.MULTILINE))
    listed = {title: re.findall(r"^- (\S+)$", parts.get(title, ""), re.MULTILINE) for title in (SEEN, REFERENCES)}
    assert all(re.search(r"/(issues|pull|discussions)/\d|forum|discuss", one) for one in listed[SEEN])
    assert not any(re.search(r"github\.com/[^/]+/[^/]+/(issues|pull)/", one) for one in listed[REFERENCES])
    assert {*rule.sources} <= {*listed[SEEN], *listed[REFERENCES]}
    assert parts["What decides"].startswith("- ")
    assert re.search(rf"^(?:. .*|  ){rule.id}$|explains    {rule.id}:", parts["What it prints"], re.MULTILINE)


def test_explain_lists_every_rule():
    listed = explain.page(None)
    assert all(f"  {rule.id} " in listed for rule in rules())


def test_explain_suggests_the_nearest_rule():
    told = CliRunner().invoke(app, ["explain", "driver-to-old"])
    assert told.exit_code == 2
    assert "did you mean driver-too-old?" in told.stderr


def test_the_reference_names_every_option():
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    fleet = ("fleet judge", "fleet slurm", "fleet ray", "fleet kubernetes")
    for command in ("doctor", "ticket", "diff", "plan", "lint", "explain", "schema", "bench kernels", *fleet):
        help_text = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_text)) - {"--help"}:
            assert f"`{option}" in reference, f"{command} {option} is not in docs/reference.md"


def test_contributing_names_what_there_is():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/.])(?:cudacheck|tests|docs)/[\w./*-]*[\w*/]", text))
    assert len(named) > 40
    assert [path for path in sorted(named) if "NAME" not in path and not [*ROOT.glob(path)]] == []


def test_the_schema_describes_a_real_report():
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    assert {"verdict", "findings", "unchecked", "probes", "facts"} <= set(schema["required"])
    assert set(schema["$defs"]["Finding"]["properties"]) >= {
        "rule",
        "severity",
        "message",
        "evidence",
        "remedies",
        "sources",
        "caused_by",
    }


@pytest.mark.parametrize("rule", [rule for rule in rules() if knowledge.messages_of(rule.id)], ids=lambda rule: rule.id)
def test_explain_finds_a_rule_by_what_software_prints(rule):
    for row in knowledge.messages_of(rule.id):
        assert rule in explain.meant_by(f"Error: {row.filled()}")


def test_what_means_several_rules_is_a_list_of_them():
    told = CliRunner().invoke(app, ["explain", "CUDA error: no kernel image is available for execution on the device"])
    assert told.exit_code == 0
    assert "gpu-too-new-for-build" in told.stdout
    assert "gpu-too-old-for-build" in told.stdout
    assert not told.stdout.startswith("#")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("RuntimeError: No CUDA GUPs are available", "gpus-hidden"),
        ("AssertionError: Torch not compi", "torch-cpu-build"),
        ("docker: Error response from daemon: could not select devic", "container-without-gpu"),
        ("RuntimeError: FlashAttention only suports Ampere GPUs", "flash-attn-unsupported-gpu"),
        ("CUDA error: the provided PTX was compild with an unsuported toolchain", "ptx-newer-than-driver"),
        ("modprobe: ERROR: could not insert 'nvidia'", "secure-boot-unsigned"),
    ],
)
def test_a_message_that_is_misspelt_or_cut_off_leads_to_the_nearest(text, rule):
    told = CliRunner().invoke(app, ["explain", text])
    assert told.exit_code == 2
    assert f"`cudacheck explain {rule}` knows" in told.stderr


@pytest.mark.parametrize(
    "text",
    ["IndexError: list index out of range", "OSError: [Errno 28] No space left on device", "AssertionError", "yarn"],
)
def test_what_resembles_no_message_leads_nowhere(text):
    told = CliRunner().invoke(app, ["explain", text])
    assert told.exit_code == 2
    assert " knows '" not in told.stderr


@pytest.mark.parametrize("text", ["the quick brown fox", "\x1b[31mred", "x" * 100_000, "\n"])
def test_what_no_rule_knows_is_refused_in_one_line(text):
    told = CliRunner().invoke(app, ["explain", text])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "\x1b" not in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_page_is_drawn_at_the_width_of_the_terminal():
    for width in (60, 110):
        page = reading.drawn(rule_page(rules()[0], width - 2), width, colour=False)
        assert max(len(line) for line in page.splitlines()) <= width
        assert "\x1b" not in page
        assert "**" not in page


@pytest.mark.parametrize("name", [*schema.SCHEMAS])
def test_schema_prints_what_docs_has(name):
    told = CliRunner().invoke(app, ["schema", name])
    assert told.stdout == (ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(told.stdout))


def test_every_schema_can_be_asked_for():
    assert [one.value for one in Of] == [*schema.SCHEMAS]


SICK, HEALTHY, SLOW, STEPS = (
    str(ROOT / "tests" / path)
    for path in (
        "tickets/driver-too-old-by-versions.txt",
        "replays/h200-doctor.json",
        "replays/h200-bench-kernels.json",
        "replays/h200-steps-all.json",
    )
)
PRINTED = (
    ("report", ["doctor", "--from", SICK]),
    ("report", ["doctor", "--from", SICK, "--redact", "--require", "driver>=570", "--require", "glibc>=2"]),
    ("report", ["doctor", "--from", SLOW]),
    ("report", ["doctor", "--from", STEPS]),
    ("plan", ["plan", "--gpu", "H100", "--driver", "570.86.15"]),
    ("plan", ["plan", "--gpu", "K80", "--driver", "470.82", "torch>=2.9"]),
    ("diff", ["diff", HEALTHY, SICK, SLOW]),
    ("fleet", ["fleet", "judge", HEALTHY, SLOW, SICK]),
    ("explain", ["explain"]),
    ("explain", ["explain", "driver-too-old"]),
    ("config", ["config"]),
)
"""`bench` prints a report, as the doctor does; lint's is held against its schema in lint/test_lint_command.py."""


@pytest.mark.parametrize(("name", "command"), PRINTED, ids=lambda value: " ".join(value)[:24])
def test_each_command_prints_what_its_schema_says(name, command):
    """A field that the schema does not know is a mistake of ours, though programs must bear one."""
    told = CliRunner().invoke(app, [*command, "--format", "json"])
    made = closed(schema.SCHEMAS[name]())
    assert [
        error.message[:300] for error in jsonschema.Draft202012Validator(made).iter_errors(json.loads(told.stdout))
    ] == []


def closed(shape: Any) -> Any:
    """The same, in which no object has a field that is not named."""
    if isinstance(shape, list):
        return [closed(one) for one in shape]
    if not isinstance(shape, dict):
        return shape
    told = {key: closed(value) for key, value in shape.items()}
    is_object = isinstance(shape.get("properties"), dict) and shape.get("type") == "object"
    return {"additionalProperties": False, **told} if is_object else told


def test_every_schema_is_of_something_that_is_printed():
    assert {name for name, _ in PRINTED} | {"lint"} == {*schema.SCHEMAS}


def test_what_is_configured_is_printed_as_the_schema_says(tmp_path, monkeypatch):
    ignored = "ignore = [{ rule = 'persistence-off', reason = 'ours', until = 2999-01-01 }]"
    (tmp_path / "cudacheck.toml").write_text(f"require = ['driver>=570']\nfail-on = 'never'\ntimeout = 60\n{ignored}\n")
    monkeypatch.chdir(tmp_path)
    told = json.loads(CliRunner().invoke(app, ["config", "--format", "json"]).stdout)
    jsonschema.validate(told, closed(schema.SCHEMAS["config"]()))
    assert told["fail-on"]["value"] == "never"
    assert [one["rule"] for one in told["ignore"]] == ["persistence-off"]

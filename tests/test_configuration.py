"""What is configured: who outranks whom, what adds up, and that whatever is amiss is one line with its place in it."""

from __future__ import annotations

import datetime
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cudacheck import configuration, registry, render, requirements
from cudacheck.cli.app import app
from cudacheck.configuration import ConfigurationError, Settings

TODAY = datetime.date(2026, 11, 29)


def gathered(folder: Path, options: dict[str, Any] | None = None, **more: Any) -> Settings:
    environment = more.pop("environment", {})
    asked = {"environment": environment, "folder": folder, "today": TODAY, "formats": render.formats()}
    return configuration.gathered(options or {}, **(asked | more))


def refused(folder: Path, **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        gathered(folder, **more)
    return str(caught.value)


@pytest.fixture
def own(tmp_path):
    """Writes a cudacheck.toml."""

    def write(text: str, name: str = "cudacheck.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_without_a_file_the_defaults_count(tmp_path):
    found = gathered(tmp_path, no_config=True)
    assert found.values == configuration.DEFAULTS
    assert set(found.found_in.values()) == {"default"}
    assert (found.require, found.ignore) == ((), ())


def test_an_option_outranks_a_variable_and_a_variable_a_file(own, tmp_path):
    own('fail-on = "never"\ntimeout = 10\nbench = false\n')
    variables = {"CUDACHECK_FAIL_ON": "warning", "CUDACHECK_TIMEOUT": "20"}
    found = gathered(tmp_path, {"fail-on": "error"}, environment=variables)
    assert {key: found.values[key] for key in ("fail-on", "timeout", "bench")} == {
        "fail-on": "error",
        "timeout": 20.0,
        "bench": False,
    }
    assert [found.found_in[key] for key in ("fail-on", "timeout", "bench", "format")] == [
        "--fail-on",
        "CUDACHECK_TIMEOUT",
        "cudacheck.toml:3",
        "default",
    ]


def test_what_is_required_and_ignored_adds_up(own, tmp_path):
    """A requirement of the file is not lost because another is given on the command line."""
    own('require = [\n  "torch>=2.7",\n]\nignore = [\n  {rule = "no-gpu", reason = "a laptop"},\n]\n')
    found = gathered(
        tmp_path,
        {"require": ["driver>=570"], "ignore": ["torch-nightly"]},
        environment={"CUDACHECK_REQUIRE": "gpus>=1  numpy", "CUDACHECK_IGNORE": "driver-too-old"},
    )
    assert [(one.spec, one.found_in) for one in found.require] == [
        ("driver>=570", "--require"),
        ("gpus>=1", "CUDACHECK_REQUIRE"),
        ("numpy", "CUDACHECK_REQUIRE"),
        ("torch>=2.7", "cudacheck.toml:2"),
    ]
    assert [(one.rule, one.found_in) for one in found.ignore] == [
        ("torch-nightly", "--ignore"),
        ("driver-too-old", "CUDACHECK_IGNORE"),
        ("no-gpu", "cudacheck.toml:5"),
    ]


def test_the_nearest_file_upwards_counts_and_a_pyproject_that_says_nothing_does_not(own, tmp_path):
    own("[tool.cudacheck]\ntimeout = 30\n", "pyproject.toml")
    own("[tool.other]\n# cudacheck\n", "a/pyproject.toml")
    below = tmp_path / "a" / "b"
    below.mkdir()
    assert gathered(below).values["timeout"] == 30
    own("timeout = 40\n", "a/cudacheck.toml")
    assert gathered(below).values["timeout"] == 40
    assert gathered(below, no_config=True).values["timeout"] == 180


def test_another_tools_broken_file_is_its_own_affair(own, tmp_path):
    own("[tool.other\n", "pyproject.toml")
    assert gathered(tmp_path).found_in["timeout"] == "default"


@pytest.mark.parametrize(("key", "value"), [("python", '"/bin/sh"'), ("output", '["/etc/motd.json"]')])
def test_a_cloned_repository_chooses_neither_what_is_run_nor_what_is_overwritten(own, tmp_path, key, value):
    path = own(f"timeout = 10\n{key} = {value}\n")
    assert refused(tmp_path) == f"{path}:2: {key} counts only in a file that --config names"
    assert gathered(tmp_path, config=path).values[key] in ("/bin/sh", ("/etc/motd.json",))
    variable = {"CUDACHECK_CONFIG": str(path)}
    assert gathered(tmp_path, environment=variable).found_in[key] == "cudacheck.toml:2"


def test_a_rule_is_judged_again_when_its_day_has_passed(own, tmp_path):
    row = '{{rule = "no-gpu", reason = "a laptop", until = {}}}'
    own(f"ignore = [{row.format('2026-11-29')}]")
    assert [one.rule for one in gathered(tmp_path).ignore] == ["no-gpu"]
    own(f"ignore = [{row.format('2026-11-28')}]")
    found = gathered(tmp_path)
    assert (found.ignore, [one.rule for one in found.expired]) == ((), ["no-gpu"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\nfial-on = "error"', "2: no key is called 'fial-on'; did you mean fail-on?"),
        ('fail-on = "errors"', "1: fail-on: input should be 'error', 'warning' or 'never'"),
        ('require = ["torch>=2",\n "driver=570"]', "2: 'driver=570': a version is compared with ==, not with one ="),
        ('require = ["torch>=2",\n "gpu-memori>=40GB"]', "did you mean gpu-memory?"),
        ('require = ["gpu-memory>=40"]', "1: 'gpu-memory>=40': it is compared with a size with its unit"),
        ('require = "torch"', "1: require: input should be a valid list"),
        (
            'ignore = [\n{rule="driver-to-old", reason="x"}]',
            "2: no rule is called 'driver-to-old'; did you mean driver",
        ),
        ('ignore = [{rule="no-gpu", reson="x"}]', "1: no key is called 'reson'; did you mean reason?"),
        ('ignore = [{rule="no-gpu"}]', "1: ignore.0.reason: field required"),
        ('ignore = ["no-gpu"]', "1: ignore.0: a rule is left out as { rule = "),
        ('format = "jsn"', "1: no format is called 'jsn'; did you mean json?"),
        ("timeout = 0", "1: timeout: input should be greater than or equal to 1"),
        ('timeout = "60"', "1: timeout: input should be a valid number"),
        ("bench = 1", "1: bench: input should be a valid boolean"),
        ("a = [", "no TOML: "),
        ("a = 1\n\na = 2", "3: no TOML: "),
    ],
)
def test_what_is_amiss_is_told_with_its_line_and_the_nearest_name(own, tmp_path, text, said):
    path = own(text)
    told = refused(tmp_path)
    assert told.startswith(f"{path}:")
    assert said in told


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CUDACHECK_REQUIER": "x"}, "no variable is called CUDACHECK_REQUIER; did you mean CUDACHECK_REQUIRE?"),
        ({"CUDACHECK_FAIL_ON": "alot"}, "CUDACHECK_FAIL_ON: no fail-on is called 'alot'"),
        ({"CUDACHECK_TIMEOUT": "1e3"}, "CUDACHECK_TIMEOUT is a number of seconds, not '1e3'"),
        ({"CUDACHECK_TIMEOUT": "0"}, "CUDACHECK_TIMEOUT: between 1 and 86400 seconds, not 0"),
        ({"CUDACHECK_NO_BENCH": "maybe"}, "CUDACHECK_NO_BENCH is 1 or 0, not 'maybe'"),
        ({"CUDACHECK_REQUIRE": "torch>>2"}, "CUDACHECK_REQUIRE: 'torch>>2'"),
        ({"CUDACHECK_REQUIRE": "gpu-name='RTX"}, "CUDACHECK_REQUIRE: no closing quotation"),
        ({"CUDACHECK_IGNORE": "nonsense"}, "no rule is called 'nonsense'"),
        ({"CUDACHECK_CONFIG": "/no/such.toml"}, "cannot read /no/such.toml"),
    ],
)
def test_a_variable_that_says_what_it_cannot_is_refused(tmp_path, variables, said):
    assert said in refused(tmp_path, environment=variables)


@pytest.mark.parametrize("text", ["gpu-name='RTX 4090'  torch", "gpu-name=RTX 4090\n\n torch\n"])
def test_a_variable_may_hold_several_words_or_lines(tmp_path, text):
    found = gathered(tmp_path, environment={"CUDACHECK_REQUIRE": text})
    assert [one.spec for one in found.require] == ["gpu-name=RTX 4090", "torch"]


def test_variables_of_others_are_left_alone(tmp_path):
    variables = {"CUDACHECK_VERSION": "1", "CUDACHECK_ROOT": "/", "CUDACHECK_FAIL_ON": " "}
    assert gathered(tmp_path, environment=variables).values == configuration.DEFAULTS


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = 1\n" * 200_000, None], ids=["no UTF-8", "too large", "a folder"])
def test_a_file_that_cannot_be_read(tmp_path, data):
    path = tmp_path / "c.toml"
    path.write_bytes(data) if data else path.mkdir()
    assert str(path) in refused(tmp_path, config=path)


def test_config_prints_what_is_in_force(own, tmp_path, monkeypatch):
    own('require = ["torch>=2.7"]\ntimeout = 30\n')
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["config"], env={"CUDACHECK_FAIL_ON": "warning"})
    assert told.exit_code == 0
    assert re.search(r"^require +torch>=2\.7 +cudacheck\.toml:1$", told.stdout, re.MULTILINE)
    assert re.search(r"^timeout +30 +cudacheck\.toml:2$", told.stdout, re.MULTILINE)
    assert re.search(r"^fail-on +warning +CUDACHECK_FAIL_ON$", told.stdout, re.MULTILINE)
    as_json = json.loads(CliRunner().invoke(app, ["config", "--format", "json"]).stdout)
    assert as_json["require"] == [{"spec": "torch>=2.7", "found_in": "cudacheck.toml:1"}]
    assert as_json["timeout"] == {"value": 30.0, "found_in": "cudacheck.toml:2"}


def test_the_doctor_heeds_the_file_for_pastes_too(own, tmp_path, monkeypatch):
    own('require = ["torch>=2.9"]\n')
    monkeypatch.chdir(tmp_path)
    asked = ["doctor", "--from", "-", "--format", "json"]
    told = CliRunner().invoke(app, asked, input="torch==2.8.0+cu128\n")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["requirements"][0]["state"] == "unmet"
    without = CliRunner().invoke(app, [*asked, "--no-config"], input="torch==2.8.0+cu128\n")
    assert (without.exit_code, json.loads(without.stdout)["requirements"]) == (0, [])


# Of lint


def of_lint(folder: Path, options: dict[str, Any] | None = None, **more: Any) -> Settings:
    return gathered(folder, options, formats=render.formats("lint"), of=configuration.LINT, **more)


def test_lint_has_a_table_and_variables_of_its_own(own, tmp_path):
    own(
        'fail-on = "never"\n[lint]\nfail-on = "warning"\ngpu = "H200"\nselect = ["tag-never-built"]\n'
        'ignore = [\n  {rule = "unquoted-comparison", reason = "documented so"},\n]\n'
    )
    variables = {"CUDACHECK_LINT_GPU": "L4", "CUDACHECK_LINT_IGNORE": "loads-in-float32", "CUDACHECK_FORMAT": "html"}
    found = of_lint(tmp_path, {"ignore": ["never-released"]}, environment=variables)
    values = {key: (found.values[key], found.found_in[key]) for key in ("fail-on", "gpu", "select", "format")}
    assert values == {
        "fail-on": ("warning", "cudacheck.toml:3"),
        "gpu": ("L4", "CUDACHECK_LINT_GPU"),
        "select": (("tag-never-built",), "cudacheck.toml:5"),
        "format": ("text", "default"),
    }
    assert [(one.rule, one.found_in) for one in found.ignore] == [
        ("never-released", "--ignore"),
        ("loads-in-float32", "CUDACHECK_LINT_IGNORE"),
        ("unquoted-comparison", "cudacheck.toml:7"),
    ]
    doctors = gathered(tmp_path, environment={"CUDACHECK_LINT_GPU": "L4"})
    assert (doctors.values["fail-on"], doctors.ignore) == ("never", ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[lint]\nfial-on = "error"', "2: no key is called 'fial-on'; did you mean fail-on?"),
        ("[lint]\ntimeout = 3", "2: no key is called 'timeout'; there are select,"),
        ('[lint]\nignore = [{rule="no-gpu", reason="x"}]', "2: no rule is called 'no-gpu'"),
        ('[lint]\nignore = [{rule="never-released", reson="x"}]', "2: no key is called 'reson'; did you mean reason?"),
        ('[lint]\nselect = ["never-releasd"]', "no rule is called 'never-releasd'; did you mean never-released?"),
        ('[lint]\nformat = "prometheus"', "2: no format is called 'prometheus'"),
        ('lint = "error"', "1: lint: input should be a valid dictionary"),
        ('[lint]\noutput = ["/etc/motd.json"]', "2: output counts only in a file that --config names"),
    ],
)
def test_what_is_amiss_in_lints_table_is_told_with_its_line(own, tmp_path, text, said):
    path = own(text)
    with pytest.raises(ConfigurationError) as caught:
        of_lint(tmp_path)
    assert said in str(caught.value)
    assert str(caught.value).startswith((f"{path}:", f"{path.name}:"))


def test_an_expired_rule_of_lints_is_judged_again(own, tmp_path):
    own('[lint]\nignore = [{rule = "never-released", reason = "soon", until = 2026-11-28}]')
    found = of_lint(tmp_path)
    assert (found.ignore, [one.rule for one in found.expired]) == ((), ["never-released"])


def test_lint_heeds_the_file_and_config_prints_it(own, tmp_path, monkeypatch):
    pytest.importorskip("tree_sitter_bash", reason="needs the extra: pip install cudacheck[lint]")
    own(
        '[tool.cudacheck.lint]\ngpu = "RTX 5090"\nignore = [{rule = "tag-without-index", reason = "a mirror"}]\n',
        "pyproject.toml",
    )
    own("torch==2.6.0+cu124\n", "requirements.txt")
    monkeypatch.chdir(tmp_path)
    told = json.loads(CliRunner().invoke(app, ["lint", ".", "--format", "json"]).stdout)
    assert [one["rule"] for one in told["findings"]] == ["build-lacks-gpu"]
    without = json.loads(CliRunner().invoke(app, ["lint", ".", "--format", "json", "--no-config"]).stdout)
    assert [one["rule"] for one in without["findings"]] == ["tag-without-index"]
    only = CliRunner().invoke(app, ["lint", ".", "--select", "never-released"])
    assert (only.exit_code, only.stdout) == (0, "nothing found in 2 files\n")
    printed = CliRunner().invoke(app, ["config"]).stdout
    assert re.search(r"^lint\.gpu +RTX 5090 +pyproject\.toml:2$", printed, re.MULTILINE)
    assert re.search(r"^lint\.ignore +tag-without-index +pyproject\.toml:3: a mirror$", printed, re.MULTILINE)
    as_json = json.loads(CliRunner().invoke(app, ["config", "--format", "json"]).stdout)
    assert as_json["lint"]["gpu"] == {"value": "RTX 5090", "found_in": "pyproject.toml:2"}


# Random configurations


def toml(value: Any) -> str:
    """A value as TOML writes it; a dictionary in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return json.dumps(value)


NAMES = st.one_of(
    st.sampled_from([*requirements.requirements(), *[rule.id for rule in registry.rules()[:5]], "torch", "x"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
SPECS = st.builds(
    "".join,
    st.tuples(
        NAMES,
        st.sampled_from([">=", "==", "=", "<", "~=", "!=", "", ">", "==="]),
        st.text("0123456789.*+aGB%,<=> ", max_size=8),
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    NAMES,
    SPECS,
    st.dates(),
).filter(lambda value: value is not None)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)
IGNORED = st.dictionaries(st.one_of(st.sampled_from(["rule", "reason", "until"]), NAMES), SCALARS, max_size=4)
KEYS = st.one_of(
    st.sampled_from(
        [
            "require",
            "ignore",
            "fail-on",
            "not-proven",
            "bench",
            "timeout",
            "format",
            "python",
            "output",
            "fail_on",
            "lint",
        ]
    ),
    NAMES,
)
TABLES = st.dictionaries(
    KEYS, st.one_of(VALUES, st.lists(SPECS, max_size=4), st.lists(IGNORED, max_size=3)), max_size=5
)
TEXTS = st.one_of(
    TABLES.map(lambda table: "".join(f"{toml(key)} = {toml(value)}\n" for key, value in table.items())),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.text("[]{}=\"'#,.\n ab-", max_size=60),
)


@settings(
    max_examples=int(os.environ.get("CONFIGURATIONS", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TEXTS, st.booleans())
@example("[" * 5000, False)
@example("a" + ".a" * 5000 + " = 1", False)
def test_a_random_configuration_is_taken_or_refused_in_one_line(tmp_path, text, shared):
    path = tmp_path / ("pyproject.toml" if shared else "cudacheck.toml")
    path.write_text(f"[tool.cudacheck]\n{text}" if shared else text, encoding="utf-8")
    try:
        found = gathered(tmp_path, config=path)
    except ConfigurationError as error:
        said = str(error)
        assert re.match(rf"{re.escape(str(path))}:\d+: .", said), said
        at = int(said[len(str(path)) + 1 :].partition(":")[0])
        assert 1 <= at <= len(path.read_text(encoding="utf-8").splitlines()) + 1
        assert len(said) < 1000
    else:
        assert set(found.values) == set(configuration.DEFAULTS)
        for required in found.require:
            requirements.understood(required.spec)


def test_a_mark_of_windows_and_its_line_ends_are_borne(own, tmp_path):
    own('\ufefffail-on = "never"\r\ntimeout = 10\r\n')
    found = gathered(tmp_path)
    assert (found.values["fail-on"], found.values["timeout"]) == ("never", 10)


def test_a_rule_left_out_by_its_name_alone_is_told_how(own, tmp_path):
    own('ignore = ["persistence-off"]\n')
    assert refused(tmp_path).endswith('cudacheck.toml:1: ignore.0: a rule is left out as { rule = "…", reason = "…" }')


@pytest.mark.parametrize("spec", ["matmul-fp16>=60", "copy>=3", "copy>=201%"])
def test_a_share_that_no_gpu_could_reach_is_a_mistake(spec, tmp_path):
    said = refused(tmp_path, options={"require": [spec]})
    assert "is no share of the peak: >=0.6, or >=60%" in said

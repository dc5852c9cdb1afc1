"""No text makes the paste parsers fail otherwise than with one clear line, and none makes a rule raise."""

from __future__ import annotations

import contextlib
import json
import re
import re._compiler as compiler
import re._constants as constants
import re._parser as parser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools import fuzz

from cudacheck import knowledge, registry, sources
from cudacheck.judging import judge as judging
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Gap
from cudacheck.model.report import Outcome, ProbeRun, Report, State, Verdict
from cudacheck.model.rule import Rule
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.reports.read import ReportError, loads
from cudacheck.reports.write import as_dict

pytestmark = pytest.mark.whole

SAMPLES, LINES = fuzz.SAMPLES, fuzz.LINES
BRIEFLY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MOST_FACTS = 8000


def digest(*texts: str) -> None:
    """Read and judge, and let nothing but a SourceError of one line out."""
    try:
        facts = sources.read([(f"paste {number}", text) for number, text in enumerate(texts)])
    except sources.SourceError as error:
        said = str(error)
    else:
        assert sum(len(facts.all(fact_type)) for fact_type in facts.types()) < MOST_FACTS
        judging.judge(facts)
        return
    assert said
    assert "\n" not in said


@BRIEFLY
@given(st.text(max_size=2000))
def test_any_text(text: str) -> None:
    digest(text)


@BRIEFLY
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=40)), max_size=60))
def test_lines_in_any_order(lines: list[str]) -> None:
    digest("\n".join(lines))


@BRIEFLY
@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3), st.data())
def test_samples_cut_and_changed(samples: list[str], data: st.DataObject) -> None:
    text = "\n".join(samples)
    for _ in range(data.draw(st.integers(0, 6))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 200)))
        text = (
            text[:begin] + data.draw(st.text(alphabet="\n\r\t |:=,.>*`0123456789ANax\x1b[m", max_size=8)) + text[end:]
        )
    digest(text, *samples[:1])


@BRIEFLY
@given(
    st.sampled_from(LINES),
    st.text(alphabet=" |:=,.>*`/()[]{}'\"-_#0aAZ\x1b", min_size=1, max_size=12),
    st.integers(1, 200),
)
def test_repetition(line: str, unit: str, times: int) -> None:
    digest(line + unit * times, "\n".join([line + unit] * times))


def a_report() -> dict[str, Any]:
    facts = Facts([Nvml(True, init_code=0), Gpu(0, name="NVIDIA L4")], complete=[Gpu])
    run = ProbeRun("nvml", "host", Outcome.OK, 0.1)
    return as_dict(Report(Verdict(State.READY, "x"), (Finding("x"),), (), (run,), facts))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@BRIEFLY
@given(st.data())
def test_reports(data: st.DataObject) -> None:
    """Any value anywhere in a report."""
    changed: Any = a_report()
    at: Any = changed
    for _ in range(data.draw(st.integers(0, 3))):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key]:
            break
        at = at[key]
    key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
    at[key] = data.draw(JSON)
    text = json.dumps(changed)
    with contextlib.suppress(ReportError):
        loads(text)
    digest(text)


@BRIEFLY
@given(JSON, st.integers(0, 400))
def test_broken_json(value: Any, cut: int) -> None:
    text = json.dumps({"schema_version": "1.0", "facts": value})
    digest(text, text[:cut])


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"schema_version":"1.0","x":' * 5000, '{\n"schema_version":' + "[" * 100_000]
)
def test_deep_json(text: str) -> None:
    digest(text)


def begins_unbounded(pattern: str) -> bool:
    """Whether a search for it takes time with the square of the text's length.

    It does when it begins with something that runs over any number of words; from the beginning of a line, over any
    number of lines. (Within a word it may: messages.py cuts long ones.)
    """
    runs_over = " "
    for code, argument in parser.parse(pattern):
        if code is constants.AT:
            runs_over = "\n"
        elif code in {constants.MAX_REPEAT, constants.MIN_REPEAT} and argument[1] is constants.MAXREPEAT:
            return compiler.compile(argument[2]).match(runs_over) is not None
        else:
            return False
    return False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\W*No devices", True),
        (r"(?m)^\W*No devices", True),
        (r"(?m)^[ |]*No devices", False),
        (r".*error", True),
        (r"\d+\.\d which", False),
        (r"\S{0,80} error", False),
    ],
)
def test_begins_unbounded(pattern: str, expected: bool) -> None:
    assert begins_unbounded(pattern) is expected


@pytest.mark.parametrize(
    "rule", [rule for rule in registry.rules() if registry.listens(rule)], ids=lambda rule: rule.id
)
def test_messages_are_quick_to_search(rule: Rule) -> None:
    for pattern in (*rule.messages, *(message.expression for message in knowledge.messages_of(rule.id))):
        assert not begins_unbounded(pattern), pattern
        assert not re.compile(pattern).search(""), pattern


def test_a_sample_of_everything_hostile() -> None:
    """`python tests/tools/fuzz.py` feeds as many as one likes."""
    assert list(fuzz.run(range(250), seed=2)) == []


@pytest.mark.parametrize("version", ["9" * 5000, "2." + "9" * 4900])
def test_a_version_of_thousands_of_digits(version: str) -> None:
    facts = sources.read(
        [("paste", f"PyTorch version: {version}\nIs CUDA available: True\nCUDA runtime version: {version}")]
    )
    assert [u.reason for u in judging.judge(facts).unchecked if u.why is Gap.OWN_FAULT] == []


def test_a_whole_number_that_is_written_as_a_fraction() -> None:
    whole = a_report()
    whole["facts"]["Gpu"][0]["index"] = 1e30
    with pytest.raises(ReportError, match="out of range"):
        loads(json.dumps(whole))

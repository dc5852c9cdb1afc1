"""Two faults at once: which is printed first, and which is folded under the other, for every pair of error rules.

The examples of each two rules that can hold of one machine are merged and judged. What comes out is kept in
root_orders.txt, which a person has looked through: a cause never stands below its effect, nor beside it. A new rule
adds its pairs: `python tests/test_root_orders.py` writes the table anew; read the difference like code.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from cudacheck.judging.judge import judge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Severity
from cudacheck.model.report import ProbeRun
from cudacheck.probes.messages import ErrorMessage
from cudacheck.registry import rules

KEPT = Path(__file__).with_name("root_orders.txt")
NAMED_BY = {
    "Gpu": "index",
    "GpuProcess": "pid",
    "PciGpu": "address",
    "DeviceNode": "path",
    "DriverLibrary": "path",
    "LibraryFile": "path",
    "LoadedLibrary": "path",
    "CudaToolkit": "path",
    "Distribution": "name",
    "KernelRun": "kernel",
    "Measurement": "case",
    "NamedPath": "variable",
    "ProbeRun": "probe",
    "ProcessLimit": "resource",
    "TorchDevice": "index",
}
"""Facts of which a machine has several; of any other it has one."""


def errors(example: tuple) -> dict[str, Finding]:
    facts = Facts(example, complete={ErrorMessage, ProbeRun, *map(type, example)})
    return {f.rule: f for f in judge(facts).findings if f.severity is Severity.ERROR}


def examples() -> dict[str, list[tuple]]:
    """By rule, those that make it an error by what was read, not by what somebody said: anybody may say two things."""
    found: dict[str, list[tuple]] = {}
    for rule in rules():
        for example in rule.fires.values():
            if not any(isinstance(fact, ErrorMessage) for fact in example) and rule.id in errors(example):
                found.setdefault(rule.id, []).append(example)
    return found


def name_of(fact: object) -> object:
    """What tells facts of one type apart; two of the same name are two claims about one thing."""
    return getattr(fact, NAMED_BY.get(type(fact).__name__, ""), None)


def merged(one: tuple, other: tuple) -> tuple | None:
    """The facts of both; None where they contradict each other."""
    there = {(type(fact), name_of(fact)): fact for fact in one}
    more = [fact for fact in other if fact not in one]
    return None if any((type(fact), name_of(fact)) in there for fact in more) else (*one, *more)


def order(a: str, b: str, found: dict[str, Finding]) -> str:
    """`a explains b`, or `a before b` where each stands for itself."""
    if found[a].caused_by == b or found[b].caused_by == a:
        cause, effect = (b, a) if found[a].caused_by == b else (a, b)
        return f"{cause} explains {effect}"
    first, second = sorted((a, b), key=list(found).index)
    return f"{first} before {second}"


def orders(by_rule: dict[str, list[tuple]]) -> dict[tuple[str, str], set[str]]:
    lines: dict[tuple[str, str], set[str]] = {}
    for a, b in itertools.combinations(by_rule, 2):
        for one, other in itertools.product(by_rule[a], by_rule[b]):
            both = merged(one, other)
            found = errors(both) if both else {}
            if a in found and b in found:
                first, relation, second = order(a, b, found).split(" ")
                lines.setdefault((first, relation), set()).add(second)
    return lines


def table() -> str:
    """One line a rule and relation: `gpus-hidden explains cuda-init-failed …`"""
    found = sorted(orders(examples()).items())
    return "".join(f"{a} {relation} {' '.join(sorted(b))}\n" for (a, relation), b in found)


def kept() -> dict[tuple[str, str], set[str]]:
    lines = map(str.split, KEPT.read_text(encoding="utf-8").splitlines())
    return {(first, relation): {*others} for first, relation, *others in lines}


@pytest.mark.whole
def test_each_order_is_one_that_a_person_has_looked_at():
    assert table() == KEPT.read_text(encoding="utf-8")


def test_the_order_of_two_first_examples_is_kept():
    """A tenth of the work of all pairs."""
    found = orders({rule: each[:1] for rule, each in examples().items()})
    assert len(found) > 40
    known = kept()
    assert [pair for pair, others in found.items() if not others <= known.get(pair, set())] == []


def test_no_pair_has_two_orders():
    """A cause in one example is no effect in another."""
    explains = {(a, b) for (a, relation), others in kept().items() for b in others if relation == "explains"}
    assert not {(a, b) for a, b in explains if (b, a) in explains}


if __name__ == "__main__":
    KEPT.write_text(table(), encoding="utf-8")

"""Feed cudacheck with inputs that nobody would write: `python tests/tools/fuzz.py 100000 --seed 1` says what broke.

Three kinds: samples cut, mixed and changed; the JSON of a report with another value somewhere; facts of every type with
hostile values in every field. Each is read, judged, and drawn in every format. A fault is an exception, a rule that
raised, a character that harms a terminal, or an input that takes more than LIMIT_S of processor time.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
import random
import sys
import time
import traceback
import types
import typing
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from cudacheck import sources
from cudacheck.commands import doctor
from cudacheck.model import untrusted
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Gap
from cudacheck.model.report import ProbeRun, Report
from cudacheck.registry import fact_types
from cudacheck.render import as_text
from cudacheck.reports import redact
from cudacheck.reports.read import loads

HERE = Path(__file__).parent.parent
sys.path.insert(0, str(HERE))
from dumps import HELD, SEEN  # noqa: E402
from tools.spread import spread  # noqa: E402

DUMPS = [text for text, _ in (*SEEN.values(), *HELD.values())]
LIMIT_S = 10.0
FILES = sorted([*HERE.glob("captures/*"), *HERE.glob("tickets/*.txt")])
SAMPLES = [*(path.read_text(encoding="utf-8") for path in FILES), *DUMPS]
LINES = sorted({line for sample in SAMPLES for line in sample.splitlines()})
REPLAYS = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("replays/*.json"))]
HOSTILE = (
    "", " ", "0", "-1", "1e999", "nan", "9" * 5000, "9." * 40 + "9", "1" * 18 + ".0", ".", "-", "x", "\x1b[31m",
    "\x9b31m", "\u202e", "\u061c", "\ud800", "²", "١٢.٣", "a" * 5000, "\n", "a\nb", "\0", "%s", "{0}", "[red]",
    "[/]", "N/A", "[N/A]", "None", "unknown", "12", "12.", "12.x", "13.0.48", "2.7.1", "2.7.1+cu128",
    "2.99.0+cu999", "2.7.1+", "+cu128", "1.0a1", "535.129.03", "9999.99", "NVIDIA H200", "NVIDIA RTX 9999",
    "linux", "win32", "sm_90", "sm_", "compute_120", "sm_9999a", "/usr/lib/libcuda.so.1", "/", "//", "~", "C:\\",
    "C:\\Users\\ada", "libcudnn.so.9", "torch", "Off", "*", "?", "!", "https://a:b@c/d?token=e",
    "CUDA error: no kernel image is available", "$(rm -rf /)", "`id`", "'", '"', "; ls", "cu130",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 7, 8, 9, 12, 64, 127, 255, 999, 12000, 13000, 2**31, 2**63, 10**19, -(10**18))
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e-12, 1e9, 1e30, -1e30)
GROWN = "\n\r\t |:=,.>*`0123456789ANax\x1b[m\u202e\x9b"


def value(hint: Any, rng: random.Random) -> Any:
    """One of that type that no probe would tell."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return value(arguments[0], rng)
    if origin in {typing.Union, types.UnionType}:
        return None if rng.random() < 0.3 else value(next(a for a in arguments if a is not types.NoneType), rng)
    if origin in {tuple, list}:
        return tuple(value(arguments[0], rng) for _ in range(rng.choice((0, 1, 2, 3))))
    if origin is dict:
        return {value(arguments[0], rng): value(arguments[1], rng) for _ in range(rng.choice((0, 1, 2)))}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hostile(hint, rng)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return rng.choice(list(hint))
    if hint is bool:
        return rng.random() < 0.5
    if hint in {int, float}:
        return rng.choice(NUMBERS if hint is int else FLOATS)
    return rng.choice(HOSTILE)[: untrusted.MAX_TEXT]


def hostile(cls: type, rng: random.Random) -> Any:
    hints = typing.get_type_hints(cls)
    return cls(**{f.name: value(hints[f.name], rng) for f in dataclasses.fields(cls) if rng.random() < 0.8 or _must(f)})


def _must(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def changed_sample(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return "\n".join(rng.choices(LINES, k=rng.randrange(1, 60)))
    text = "\n".join(rng.sample(SAMPLES, rng.randrange(1, 3)))
    for _ in range(rng.randrange(1, 8)):
        begin = rng.randrange(len(text) + 1)
        end = begin + rng.choice((0, 1, 2, 8, 200))
        inserted = rng.choice(HOSTILE) if rng.random() < 0.4 else "".join(rng.choices(GROWN, k=rng.randrange(8)))
        text = text[:begin] + inserted * rng.choice((1, 1, 1, 50)) + text[end:]
    return text


def changed_report(rng: random.Random) -> str:
    whole = json.loads(rng.choice(REPLAYS))
    for _ in range(rng.randrange(1, 6)):
        at = whole
        while isinstance(at, dict | list) and at:
            key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
            if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.1:
                at[key] = rng.choice((*HOSTILE, *NUMBERS, *FLOATS, None, True, [], {}, [[]], {"": ""}))
                break
            at = at[key]
    return json.dumps(whole)


def hostile_facts(rng: random.Random) -> Facts:
    facts = Facts()
    for fact_type in fact_types().values():
        if rng.random() < 0.6:
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                facts.add(hostile(fact_type, rng))
        if rng.random() < 0.5:
            facts.mark_complete(fact_type)
    return facts


def feed(rng: random.Random) -> tuple[str, Report | None]:
    """One input, and the report on it; None where it was refused in one line."""
    kind = rng.choice(("sample", "sample", "report", "facts", "facts"))
    if kind == "facts":
        facts = hostile_facts(rng)
        return kind, doctor.judged(facts, facts.all(ProbeRun), (), None)
    text = changed_sample(rng) if kind == "sample" else changed_report(rng)
    try:
        facts = sources.read([("a paste", text)])
    except sources.SourceError as error:
        if "\n" in str(error):
            raise ValueError(f"a refusal of several lines: {error}") from None
        return kind, None
    return kind, doctor.judged(facts, facts.all(ProbeRun), (), None)


def harmful(told: str) -> set[str]:
    return {one for one in told if one != "\n" and not one.isprintable()}


def faults(found: Report, rng: random.Random) -> Iterator[str]:
    yield from (f"{u.rule}: {u.reason}" for u in found.unchecked if u.why is Gap.OWN_FAULT)
    shown = redact.redacted(found) if rng.random() < 0.2 else found
    for told in (
        as_text(shown, verbose=rng.random() < 0.5, width=rng.choice((None, 40, 60, 80, 120))),
        as_text(shown, "json"),
    ):
        if harm := harmful(told):
            yield f"harmful characters: {harm!r}"
    again = loads(as_text(shown, "json"))
    if again.verdict != shown.verdict:
        yield f"the verdict is another after it was read back: {shown.verdict!r:.300}"


def run(numbers: Iterable[int], seed: int) -> Iterator[tuple[int, str, str]]:
    """(number of the input, its kind, what went wrong)."""
    for number in numbers:
        rng = random.Random(seed * 10_000_000 + number)
        started = time.process_time()
        kind = "?"
        try:
            kind, found = feed(rng)
            if found:
                yield from ((number, kind, fault) for fault in faults(found, rng))
        except Exception:
            yield number, kind, "\n".join(traceback.format_exc().splitlines()[-6:])
        if time.process_time() - started > LIMIT_S:
            yield number, kind, f"{time.process_time() - started:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the inputs")
    options = parser.parse_args()
    started, wrong = time.monotonic(), 0
    for number, kind, fault in spread(partial(run, seed=options.seed), options.count, options.jobs):
        wrong += 1
        print(f"input {number} ({kind}): {fault}", flush=True)
    print(f"{options.count} inputs of seed {options.seed}, {wrong} faults, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

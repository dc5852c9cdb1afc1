"""Judge tickets in disguise: `python tests/tools/disguise.py FOLDER --labels LABELS.jsonl` tells what each costs.

A ticket is a file FOLDER/ID.txt; a line of the labels holds `id`, `expected` and `also_acceptable`. Of thirteen
disguises eleven only look otherwise, one puts a healthy machine's dump behind the ticket, one takes a line away (each
line once). The root that was found before may be kept, or lost to a question or to "not proven"; a coarser one
that asks for what would split it counts as a question. Any other error that is not labelled is wrong.

Where it asks, and one of the answers is what is labelled, the answers that the rule itself gives for its fault are
pasted behind the ticket: then it must be found. `otherwise`: those answers, which are another machine's, contradict the
ticket's facts; a person has to look.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cudacheck.commands import doctor
from cudacheck.model.findings import Severity
from cudacheck.model.report import Report
from cudacheck.registry import probe_of
from cudacheck.registry import rule as find_rule

sys.path.insert(0, str(Path(__file__).parent.parent))
from healthy_pastes import H100, collect_env
from tools.spread import spread

Told = tuple[str, str, str]
"""A ticket, a disguise, and what became of it."""

MOST_LINES = 60
"""Of one ticket, that are taken away one by one."""
TRANSLATED = (
    # bash, coreutils and glibc of a German system; cmd.exe and Windows of a Chinese one
    (r"bash: (\S+): command not found", r"bash: \1: Befehl nicht gefunden."),
    (r"No such file or directory", "Datei oder Verzeichnis nicht gefunden"),
    (r"cannot open shared object file: .*", "cannot open shared object file: Datei oder Verzeichnis nicht gefunden"),
    (r"is not recognized as an internal or external command,?", "不是内部或外部命令，也不是可运行的程序"),
    (r"operable program or batch file\.?", "或批处理文件。"),
    (r"The specified module could not be found\.?", "找不到指定的模块。"),
    (r"Microsoft Windows (\d+) Pro\b", r"Microsoft Windows \1 专业版"),
    (r"Microsoft Windows (\d+) Home\b", r"Microsoft Windows \1 家庭版"),
)
"""What these systems print in their user's language; PyTorch, pip and nvidia-smi are English everywhere."""


def each_line(form: str) -> Callable[[str], str]:
    return lambda text: "\n".join(form.format(line) for line in text.splitlines())


def wrapped(text: str) -> str:
    broken = (
        textwrap.wrap(line, 60, drop_whitespace=False, break_on_hyphens=False) or [""] for line in text.splitlines()
    )
    return "\n".join(part for line in broken for part in line)


def translated(text: str) -> str:
    for english, other in TRANSLATED:
        text = re.sub(english, other, text)
    return text


KEY_AND_VALUE = r"(?m)^([A-Za-z](?:[\w()?.-]| (?! )){1,40}): (\S.*)$"
"""Not pytest's `E   RuntimeError: …`, which nobody takes for a key."""


def in_a_table(text: str) -> str:
    """Keys and values as a table of two columns; other lines as they are."""
    return re.sub(KEY_AND_VALUE, r"| \1 | \2 |", text)


def in_bold(text: str) -> str:
    return re.sub(KEY_AND_VALUE, r"- **\1:** \2", text)


ANOTHER = collect_env("2.15.0+cu132", "13.2", "torch==2.15.0", "torchvision==0.29.2", **H100)
DISGUISES: dict[str, Callable[[str], str]] = {
    "quoted": each_line("> {}"),
    "fenced": lambda text: f"<details>\n<summary>log</summary>\n\n```console\n{text}\n```\n</details>",
    "wrapped at 60": wrapped,
    "with times": each_line("2026-03-09T18:06:51.151Z {}"),
    "in the journal": each_line("Mar  9 18:06:51 node17 app[4711]: {}"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "escaped": html.escape,
    "indented": each_line("    {}"),
    "in bold": in_bold,
    "in a table": in_a_table,
    "translated": translated,
    "another's dump behind it": lambda text: f"{text}\n\nOn a colleague's machine it works:\n\n{ANOTHER}",
}
TAKEN = "a line taken away"
AS_IT_IS, ANSWERED = "as it is", "answered"


def without_a_line(text: str) -> Iterator[str]:
    lines = text.splitlines()
    for number in [n for n, line in enumerate(lines) if line.strip()][:MOST_LINES]:
        yield "\n".join(lines[:number] + lines[number + 1 :])


def judged(text: str) -> Report | None:
    """None where nothing is understood in it, which is said in one line."""
    try:
        return doctor.read(text)
    except doctor.InputError:
        return None


def errors(report: Report | None) -> list[str]:
    """The roots."""
    found = report.findings if report else ()
    return [f.rule for f in found if f.severity is Severity.ERROR and not f.caused_by]


def outcome(report: Report | None, before: list[str], allowed: set[str]) -> str:
    now = errors(report)
    wrong = [rule for rule in now if rule not in allowed]
    asks = {question.about for question in report.questions} if report else set()
    if wrong and not asks.issuperset(wrong):
        return "wrong: " + " ".join(wrong)
    if now[:1] == before[:1]:
        return "kept"
    if now and not wrong:
        return "another that is right"
    return "asked" if report and report.questions else "not proven"


def outcomes(text: str, labels: set[str]) -> Iterator[tuple[str, str]]:
    """(disguise, what became of it) for every disguise, that with a line less once for each line."""
    before = errors(judged(text))
    allowed = {*before, *labels}
    variants = [(AS_IT_IS, text), *((name, disguised(text)) for name, disguised in DISGUISES.items())]
    for name, changed in (*variants, *((TAKEN, less) for less in without_a_line(text))):
        report = judged(changed)
        if name != AS_IT_IS:
            yield name, outcome(report, before, allowed)
        for rule, answers in answers_to(report, labels or allowed):
            yield ANSWERED, decided(judged(f"{changed}\n{answers}"), rule, allowed)


def answers_to(report: Report | None, labels: set[str]) -> Iterator[tuple[str, str]]:
    """(rule, what a terminal shows) for each labelled rule that the report's questions name."""
    asked = report.questions if report else ()
    named = dict.fromkeys(answer.rule for question in asked for answer in question.answers)
    for rule in filter(None, map(find_rule, [name for name in named if name in labels])):
        hands = [(ask, probe_of(ask.fact)) for ask in rule.asks]
        answers = {probe.by_hand.command: ask.answer for ask, probe in hands if probe and probe.by_hand}
        told = (f"$ {q.command}\n{answers[q.command]}" for q in asked if q.command in answers)
        yield rule.id, "\n".join([*told, "$ "])


def decided(report: Report | None, rule: str, allowed: set[str]) -> str:
    now = errors(report)
    if rule in now:
        return "decided"
    if now and not allowed.issuperset(now):
        return f"otherwise: {' '.join(now)} for {rule}"
    return "another that is right" if now else "open"


def told_of(numbers: Iterable[int], tickets: Sequence[Path], labels: dict[str, set[str]]) -> Iterator[Told]:
    for ticket in map(tickets.__getitem__, numbers):
        for name, told in outcomes(ticket.read_text(encoding="utf-8"), labels.get(ticket.stem, set())):
            yield ticket.stem, name, told


def labels_of(file: Path | None) -> dict[str, set[str]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()] if file else []
    return {row["id"]: {*row["expected"], *row["also_acceptable"]} for row in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument(
        "--show", action="store_true", help="name every ticket of which a disguise makes something else"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the tickets")
    options = parser.parse_args()
    table: dict[str, Counter[str]] = {}
    tickets = sorted(options.folder.glob("*.txt"))
    work = partial(told_of, tickets=tickets, labels=labels_of(options.labels))
    for ticket, name, told in spread(work, len(tickets), options.jobs, at_once=1):
        table.setdefault(name, Counter())[told.partition(":")[0]] += 1
        if told.startswith(("wrong", "otherwise")) or (
            options.show and told not in {"kept", "decided"} and name != TAKEN
        ):
            print(f"{ticket} {name}: {told}", flush=True)
    for name, counts in table.items():
        print(f"{name:<26} " + ", ".join(f"{told} {count}" for told, count in counts.most_common()))
    wrong = sum(counts["wrong"] for counts in table.values())
    print(f"{len(tickets)} tickets, {sum(map(Counter.total, table.values()))} inputs, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""A rule's page, all of it derived from what the rule declares: the text of docs/rules/ID.md and of `explain ID`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.commands._printed import code, printed
from cudacheck.model.facts import Facts
from cudacheck.model.report import ProbeRun
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.registry import causes_of, listens, probe_of

SCREEN = 80
"""Columns of the screen on a page, where the page itself is not narrower."""
THREAD = re.compile(
    r"/(issues|pull|discussions|questions|comments|t|topic|threads?)/[\w-]*\d|^https://(discuss|forums?)\."
)
"""In the address of what people told each other: a tracker's thread, a forum's, a question."""


def rule_page(rule: Rule, width: int = SCREEN) -> str:
    head, _, body = rule.doc.partition("## References")[0].partition("\n")
    was = "".join(f" · formerly `{name}`" for name in rule.was)
    seen = dict.fromkeys(filter(THREAD.search, addresses(rule)))
    sections = {
        "What software prints": printed(rule),
        "What decides": [*_decides(rule)],
        "What it prints": ["```text", screen(rule, min(width, SCREEN)), "```"],
        "Examples": [
            *(f"- fires: {name}" for name in rule.fires),
            *(f"- quiet: {name}" for name in rule.quiet),
        ],
        "Explained by": [", ".join(f"`{cause}`" for cause in causes_of(rule.id))],
        "Seen in the wild": [f"- {address}" for address in seen],
        "References": [f"- {address}" for address in rule.sources if address not in seen],
    }
    lines = [f"# {rule.id}", "", f"**{rule.severity}** · mended in the {rule.fix_by}{was} · {head}", body.rstrip()]
    for title, told in sections.items():
        if any(told):
            lines += ["", f"## {title}", *told]
    return "\n".join(lines) + "\n"


def addresses(rule: Rule) -> Iterator[str]:
    """Of its references, and of where its messages were read."""
    yield from rule.sources
    yield from (row.source.partition(": ")[0] for row in knowledge.messages_of(rule.id))


def screen(rule: Rule, width: int) -> str:
    """What `doctor` prints of the rule's first example, without the counts below it."""
    from cudacheck import render
    from cudacheck.commands import doctor

    example = next(iter(rule.fires.values()))
    facts = Facts(example, complete={ErrorMessage, ProbeRun, *map(type, example)})
    report = doctor.judged(facts, facts.all(ProbeRun), (), None)
    return render.as_text(report, width=width).rpartition("\n\n")[0]


def _decides(rule: Rule) -> Iterator[str]:
    if listens(rule):
        beside = ", beside what else is known" if rule.check or rule.closing else ""
        yield f"- a message such as those above{beside}"
    named = {need.fact_type: need.optional for need in rule.needs if need.fact_type not in {Facts, ErrorMessage}}
    if not named and rule.check:
        named = {type(fact): True for example in rule.fires.values() for fact in example}
    for fact_type, optional in named.items():
        if fact_type not in {ErrorMessage, ProbeRun}:
            yield f"- {_told(fact_type)}{', where it is known' if optional else ''}"
    if rule.closing:
        yield "- what the other rules found"
    if rule.timed:
        yield "- the same measured once more, in a fresh process, before it is told"
    for ask in rule.asks:
        probe = probe_of(ask.fact)
        if probe and probe.by_hand:
            yield f"- of a paste, the answer to {code(probe.by_hand.command)}: {ask.says}"


def _told(fact_type: type) -> str:
    """A fact by its name, and by the first sentence that its declaration says of it."""
    said = " ".join((fact_type.__doc__ or "").split()).partition(". ")[0].rstrip(".")
    own = said and not said.startswith(f"{fact_type.__name__}(")  # what a dataclass says of itself is its signature
    return f"`{fact_type.__name__}` ({said[:1].lower()}{said[1:]})" if own else f"`{fact_type.__name__}`"

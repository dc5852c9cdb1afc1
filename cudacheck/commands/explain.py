"""The pages behind `cudacheck explain`: one rule, the rules that a message means, all rules, or the article's steps."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

from cudacheck.commands._resembling import nearest
from cudacheck.commands._rule_page import SCREEN, rule_page
from cudacheck.model.findings import FixBy, Remedy, Severity
from cudacheck.model.nearest import hint
from cudacheck.model.rule import Rule
from cudacheck.registry import listens, rule, rules
from cudacheck.render._clean import hanging, typed, wrapped

LONGEST_ID = 32
"""Of a rule."""
LEAST_TITLE = 40
"""Columns for a severity and a title beside a rule's name; with fewer they go below it."""
NARROWEST, WIDEST = 40, 110
"""Columns that a page is filled to."""


class UnknownRuleError(ValueError):
    """There is no such page; the words say why, and suggest the nearest."""


def page(
    what: str | None,
    python: str | None = None,
    *,
    width: int | None = None,
    draw: Callable[[str, int], str] | None = None,
) -> str:
    """The page that was asked for, as plain text of that width, or as `draw` makes it of Markdown.

    Without a width a rule's page is as docs/rules/ has it. `what` may also be what some software printed.
    """
    if python and what != "article":
        raise UnknownRuleError("--python goes with `explain article` only")
    if what is None:
        return all_rules(_width(width))
    if what == "article":
        return article(python, _width(width))
    columns = SCREEN if width is None else _width(width) - 2  # a block of code has a margin
    text = _page_called(what, columns)
    if text is None:
        means = meant_by(what)
        if len(means) != 1:
            return _candidates(means, _width(width))
        text = rule_page(means[0], columns)
    return text if width is None else (draw or _filled)(text, _width(width))


def _page_called(name: str, columns: int = SCREEN) -> str | None:
    """Of the doctor's rule of this name, else of lint's."""
    if found := rule(name):
        return rule_page(found, columns)
    from cudacheck.lint.pages import page as lint_page
    from cudacheck.lint.rule import rules as lint_rules

    return next((lint_page(one) for one in lint_rules() if one.id == name), None)


def meant_by(text: str) -> tuple[Rule, ...]:
    """The rules that know a message: what `doctor --from` says of it, and what it may mean beside other facts.

    Raises UnknownRuleError where no rule knows it.
    """
    from cudacheck import sources
    from cudacheck.judging.judge import judge
    from cudacheck.judging.questions import left_open

    try:
        facts = sources.read([("the message", text)])
    except sources.SourceError:
        raise UnknownRuleError(_unknown(text)) from None
    proven = {finding.rule for finding in judge(facts).findings} | left_open(facts)
    known = [one for one in rules() if one.id in proven or any(heard.search(text) for heard in listens(one))]
    if not known:
        raise UnknownRuleError(_unknown(text))
    return tuple(known)


def _unknown(what: str) -> str:
    from cudacheck.lint.rule import rules as lint_rules

    named = hint(what, [*(one.id for one in rules()), *(one.id for one in lint_rules())])
    if len(what.split()) == 1 and named:
        return f"no rule is called {what[:60]!r}{named}"
    if near := nearest(what):
        return f"no rule knows the message {what[:60]!r}; `cudacheck explain {near[0]}` knows {near[1][:120]!r}"
    if len(what.split()) > 1:
        return f"no rule knows the message {what[:60]!r}; `cudacheck doctor --from FILE` judges all that was printed"
    return f"no rule is called {what[:60]!r}; `cudacheck explain` lists them all"


def _candidates(means: tuple[Rule, ...], width: int) -> str:
    head = wrapped("what was printed may mean any of these; `cudacheck explain RULE` prints a rule's page", width)
    lines = [line for each in means for line in _listed(each.id, each.severity, each.title, width)]
    return "\n".join([*head, "", *lines]) + "\n"


def _width(asked: int | None) -> int:
    return max(NARROWEST, min(WIDEST, asked or WIDEST))


def all_rules(width: int) -> str:
    """Every rule with its severity: the doctor's by layer, then lint's."""
    from cudacheck.lint.rule import rules as lint_rules

    lines = []
    for layer, group in itertools.groupby(rules(), key=lambda r: r.layer):
        lines += ["", layer.name.lower().replace("_", " ")]
        lines += [line for each in group for line in _listed(each.id, each.severity, each.title, width)]
    lines += ["", "recipes (cudacheck lint)"]
    lines += [line for each in lint_rules() for line in _listed(each.id, each.rule.severity, each.title, width)]
    head = wrapped("cudacheck explain RULE prints a rule's page; `article` the article's steps", width)
    return "\n".join([*head, *lines]) + "\n"


def _listed(rule_id: str, severity: str, title: str, width: int) -> list[str]:
    if width < LONGEST_ID + LEAST_TITLE:
        return [f"  {rule_id}", *_hanging(f"    {severity:<9}", title, width)]
    return _hanging(f"  {rule_id:<{LONGEST_ID}}  {severity:<9}", title, width)


def as_json(what: str | None) -> str:
    """One rule, those that a message means, or all of them, for programs. Raises UnknownRuleError."""
    if what == "article" or (what is not None and rule(what) is None and _page_called(what)):
        raise UnknownRuleError("--format json is for the doctor's rules")
    found = rule(what) if what is not None else None
    chosen = rules() if what is None else (found,) if found else meant_by(what)
    told = Explained("1.0", tuple(map(_told, chosen)))
    return json.dumps(dataclasses.asdict(told), indent=2, ensure_ascii=False) + "\n"


@dataclasses.dataclass(frozen=True)
class RuleTold:
    """A rule, as `explain --format json` tells it."""

    id: str
    severity: Severity
    layer: str
    fix_by: FixBy
    title: str
    formerly: tuple[str, ...]
    messages: tuple[str, ...]
    sources: tuple[str, ...]
    page: str


@dataclasses.dataclass(frozen=True)
class Explained:
    """What `explain --format json` prints."""

    schema_version: str
    rules: tuple[RuleTold, ...]


def json_schema() -> dict[str, Any]:
    """Generated from the types; docs/explain.schema.json is its copy."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Explained).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "title": "cudacheck explain, schema 1.0"}


def _told(found: Rule) -> RuleTold:
    return RuleTold(
        id=found.id,
        severity=found.severity,
        layer=found.layer.name.lower().replace("_", "-"),
        fix_by=found.fix_by,
        title=found.title,
        formerly=found.was,
        messages=found.messages,
        sources=found.sources,
        page=rule_page(found),
    )


def article(python: str | None, width: int) -> str:
    """The article's steps with their verdict, then the blocks that work, filled in for this machine."""
    from cudacheck.commands import doctor
    from cudacheck.model.facts import Facts
    from cudacheck.remedies.article import STEPS, block

    try:
        facts = doctor.glimpse(python)
    except doctor.InputError as error:
        if python:
            raise UnknownRuleError(str(error)) from None
        facts = Facts()  # another operating system: the blocks without this machine's particulars
    lines = wrapped("What the article says, what is true of it, and which block below does what was meant", width)
    for part, steps in itertools.groupby(STEPS, key=lambda step: step.title):
        lines += ["", part]
        for step in steps:
            lines += _hanging(f"  {step.verdict:<14}", step.claim, width)
            lines += _hanging(" " * 16, step.truth + (f"  [C{step.block}]" if step.block else ""), width)
    for number in sorted({step.block for step in STEPS if step.block}):
        lines += ["", f"[C{number}]", *_block(block(number, facts), width)]
    lines += ["", *wrapped("`cudacheck plan` says what to install here, and why", width)]
    return "\n".join(lines) + "\n"


def _block(remedy: Remedy, width: int) -> list[str]:
    """What to type, each line as it is."""
    lines = (*remedy.edit.splitlines(), *remedy.commands)
    return [*_hanging("  ", remedy.title, width), *(f"    {typed(line)}".rstrip() for line in lines)]


def _hanging(label: str, text: str, width: int) -> list[str]:
    return [(before + words).rstrip() for before, words in hanging(label, text, width, len(label))]


def _filled(page: str, width: int) -> str:
    """A page of Markdown in lines of that width: paragraphs and items are filled, code and headings stay."""
    lines: list[str] = []
    block: list[str] = []
    fenced = False
    for line in [*page.splitlines(), ""]:
        fenced ^= line.startswith("```")
        as_it_is = fenced or not line or line.startswith(("```", "#", "|", "    "))
        if block and (as_it_is or line.startswith("- ")):
            label = "- " if block[0].startswith("- ") else ""
            lines += _hanging(label, " ".join(block).removeprefix(label), width)
            block = []
        if as_it_is:
            lines.append(line)
        else:
            block.append(line.strip())
    return "\n".join(lines[:-1]) + "\n"

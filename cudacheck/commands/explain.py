"""The pages behind `cudacheck explain`: one rule, all rules, or the article's steps."""

from __future__ import annotations

import itertools
import json
from typing import Any

from cudacheck.lint.pages import page as lint_page
from cudacheck.lint.rule import rules as lint_rules
from cudacheck.model.findings import Remedy
from cudacheck.model.nearest import hint
from cudacheck.model.rule import Rule
from cudacheck.registry import causes_of, rule, rules
from cudacheck.render._clean import hanging, typed, wrapped

LONGEST_ID = 32
"""Of a rule."""
LEAST_TITLE = 40
"""Columns for a severity and a title beside a rule's name; with fewer they go below it."""
NARROWEST, WIDEST = 40, 110
"""Columns that a page is filled to."""


class UnknownRuleError(ValueError):
    """There is no such page; the words say why, and suggest the nearest."""


def page(what: str | None, python: str | None = None, *, width: int | None = None) -> str:
    """The page that was asked for, as plain text of that width; without one, as docs/rules/ has it."""
    if python and what != "article":
        raise UnknownRuleError("--python goes with `explain article` only")
    if what is None:
        return all_rules(_width(width))
    if what == "article":
        return article(python, _width(width))
    found = rule(what)
    if found is None and what in {r.id for r in lint_rules()}:
        return lint_page(next(r for r in lint_rules() if r.id == what))
    if found is None:
        near = hint(what, [*(one.id for one in rules()), *(one.id for one in lint_rules())])
        raise UnknownRuleError(f"no rule is called {what[:60]!r}{near or '; `cudacheck explain` lists them all'}")
    return rule_page(found) if width is None else _filled(rule_page(found), _width(width))


def _width(asked: int | None) -> int:
    return max(NARROWEST, min(WIDEST, asked or WIDEST))


def all_rules(width: int) -> str:
    """Every rule with its severity: the doctor's by layer, then lint's."""
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
    """One rule or all of them, for programs. Raises UnknownRuleError."""
    if what is not None and rule(what) is None:
        page(what)  # refuses it, with the nearest; the article has no such form
        raise UnknownRuleError("the article is text; --format json is for rules")
    chosen = [found for found in rules() if what is None or what in found.names]
    told = {"schema_version": "1.0", "rules": [_as_dict(found) for found in chosen]}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _as_dict(found: Rule) -> dict[str, Any]:
    return {
        "id": found.id,
        "severity": found.severity.value,
        "layer": found.layer.name.lower().replace("_", "-"),
        "fix_by": found.fix_by.value,
        "title": found.title,
        "formerly": list(found.was),
        "messages": list(found.messages),
        "sources": list(found.sources),
        "page": rule_page(found),
    }


def rule_page(found: Rule) -> str:
    """A rule's page: its docstring, its place, its examples. The same text is docs/rules/ID.md."""
    was = "".join(f" · formerly `{name}`" for name in found.was)
    examples = [f"- fires: {name}" for name in found.fires]
    examples += [f"- quiet: {name}" for name in found.quiet]
    head, _, body = found.doc.partition("\n")
    lines = [
        f"# {found.id}",
        "",
        f"**{found.severity}** · mended in the {found.fix_by}{was} · {head}",
        body.rstrip(),
        "",
        "## Examples",
        *examples,
    ]
    if causes := causes_of(found.id):
        lines += ["", "## Explained by", ", ".join(f"`{cause}`" for cause in causes)]
    return "\n".join(lines) + "\n"


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

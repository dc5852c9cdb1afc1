"""The pages behind `cudacheck explain`: one rule, all rules, or the article's steps."""

from __future__ import annotations

import difflib
import itertools
import textwrap

from cudacheck.registry import Rule, rule, rules
from cudacheck.report import Remedy


class UnknownRuleError(ValueError):
    """There is no such page; the words say why, and suggest the nearest."""


def page(what: str | None, python: str | None = None) -> str:
    """The page that was asked for, as plain text."""
    if python and what != "article":
        raise UnknownRuleError("--python goes with `explain article` only")
    if what is None:
        return all_rules()
    if what == "article":
        return article(python)
    found = rule(what)
    if found is None:
        near = difflib.get_close_matches(what, [r.id for r in rules()], 1)
        hint = f"; did you mean {near[0]}?" if near else "; `cudacheck explain` lists them all"
        raise UnknownRuleError(f"no rule is called {what[:60]!r}{hint}")
    return rule_page(found)


def all_rules() -> str:
    """Every rule with its severity, by layer."""
    lines = []
    for layer, group in itertools.groupby(rules(), key=lambda r: r.layer):
        lines += ["", layer.name.lower().replace("_", " ")]
        lines += [f"  {r.id:<30}{r.severity:<9}{r.title}" for r in group]
    return "\n".join(["cudacheck explain RULE prints a rule's page; `article` the article's steps", *lines]) + "\n"


def rule_page(found: Rule) -> str:
    """A rule's page: its docstring, its place, its examples. The same text is docs/rules/ID.md."""
    examples = [f"- fires: {name}" for name in getattr(found.module, "FIRES", {})]
    examples += [f"- quiet: {name}" for name in getattr(found.module, "QUIET", {})]
    head, _, body = found.doc.partition("\n")
    lines = [
        f"# {found.id}",
        "",
        f"**{found.severity}** · {head}",
        body.rstrip(),
        "",
        "## Examples",
        *examples,
    ]
    if found.explained_by:
        lines += ["", "## Explained by", ", ".join(f"`{cause}`" for cause in found.explained_by)]
    return "\n".join(lines) + "\n"


def article(python: str | None) -> str:
    """The article's steps with their verdict, then the blocks that work, filled in for this machine."""
    from cudacheck import inspecting
    from cudacheck.article import STEPS
    from cudacheck.facts import Facts
    from cudacheck.remedies import article_block

    try:
        facts = inspecting.glimpse(python)
    except inspecting.InputError as error:
        if python:
            raise UnknownRuleError(str(error)) from None
        facts = Facts()  # another operating system: the blocks without this machine's particulars
    lines = ["What the article says, what is true of it, and which block below does what was meant"]
    for part, steps in itertools.groupby(STEPS, key=lambda step: step.title):
        lines += ["", part]
        for step in steps:
            lines += _hanging(f"  {step.verdict:<14}", step.claim)
            lines += _hanging(" " * 16, step.truth + (f"  [C{step.block}]" if step.block else ""))
    for number in sorted({step.block for step in STEPS if step.block}):
        lines += ["", f"[C{number}]", *_block(article_block(number, facts))]
    return "\n".join(lines) + "\n"


def _block(remedy: Remedy) -> list[str]:
    """What to type, each line as it is."""
    typed = (*remedy.edit.splitlines(), *remedy.commands)
    return [*_hanging("  ", remedy.title), *(f"    {line}".rstrip() for line in typed)]


def _hanging(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        110,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )

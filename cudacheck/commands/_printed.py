"""What software prints of a fault, by which people look for its page: one list item a message, of the rule's own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage

LONGEST = 240
"""Letters of a message that a page quotes."""


def printed(rule: Rule) -> list[str]:
    """Rows of the table of messages, then what the rule's examples quote, then its other words as far as plain."""
    rows = [f"- {code(as_printed(row.text))} ({row.program})" for row in knowledge.messages_of(rule.id)]
    return rows + [f"- {code(text)}" for text in _own(rule)]


def texts(rule: Rule) -> list[str]:
    """The same without marks."""
    return [*(as_printed(row.text) for row in knowledge.messages_of(rule.id)), *_own(rule)]


def _own(rule: Rule) -> list[str]:
    found = {_sameness(text): text for text in reversed((*_quoted(rule), *_plain(rule)))}  # the first of its like
    return [text for same, text in reversed(found.items()) if not any(same in o and same != o for o in found)]


def _sameness(text: str) -> str:
    """Messages that differ in numbers or case alone are one."""
    return re.sub(r"\d+", "0", text.lower())


def as_printed(text: str) -> str:
    """A row's text without the kinds of its placeholders: `{built}` for `{built:version}`."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", text)


def code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _quoted(rule: Rule) -> Iterator[str]:
    """The lines of its examples' messages by which it is told."""
    facts = [fact for example in rule.fires.values() for fact in example if isinstance(fact, ErrorMessage)]
    for text in (fact.text for fact in facts):
        for found in (match for pattern in rule.messages for match in re.finditer(pattern, text)):
            end = text.find("\n", found.end())
            line = text[text.rfind("\n", 0, found.start()) + 1 : len(text) if end < 0 else end]
            words = " ".join(line.split())
            yield words if len(words) <= LONGEST else f"{' '.join(text[found.start() :].split())[:LONGEST]}…"


def _plain(rule: Rule) -> Iterator[str]:
    """Alternatives of its regular expressions that are nothing but words."""
    for pattern in rule.messages:
        words = re.sub(r"\\s[+*]?", " ", pattern.removeprefix("(?i)"))
        bare = re.sub(r"\\\W", "", words)
        if not re.search(r"[()\[\]{}\\.*+?^$]", bare):
            yield from (re.sub(r"\\(\W)", r"\1", each) for each in words.split("|"))

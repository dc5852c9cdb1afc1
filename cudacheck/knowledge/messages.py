"""What software prints when something is wrong: the text with its placeholders, who prints it, what it proves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from string import Formatter

from cudacheck.knowledge._tables import rows, table

_QUOTES = re.compile(r"['\"]")
_ANY_QUOTE = r"""\\?['"`‘’“”]"""
_MOST_SPACE = 40
"""Between two words of a message that a terminal, a mail program or an indented log has broken; none is left where a
line was broken just there and its parts were joined again."""


@dataclass(frozen=True)
class Message:
    """One text. It can be searched for like a regular expression, which is made only where its anchor stands."""

    text: str
    """As printed; `{version}`, or `{built:version}` with a name, for what changes."""
    program: str
    versions: str
    """Which of its releases print it, as far as was looked at."""
    source: str
    """The address where the text was read; `address: what` where it was read in the program as shipped."""
    proves: str = ""
    """The rule that it convicts by; none where it does not decide alone, and then"""
    may_be: tuple[str, ...] = ()
    """those that may be behind it: what would make them sure is asked."""
    means: str = ""
    """Where the rule alone does not say it: the fault in words, with its placeholders filled."""
    advice: str = ""
    """What to do, where the rule's own remedies are for another of its faults; `means` then is the finding."""
    verified: bool = True
    """Whether the text was seen where `source` says; False where that could not be opened, and others pasted it."""

    @cached_property
    def parts(self) -> tuple[tuple[str, str | None, str | None, str | None], ...]:
        """Its own words and its placeholders in turn: (words, name, kind, unused)."""
        return tuple(Formatter().parse(self.text))

    @cached_property
    def anchor(self) -> str:
        """The longest stretch of its own words without a space or a quote: a text that lacks it is not searched."""
        literals = (literal for literal, *_ in self.parts)
        return max((part for literal in literals for part in re.split(r"[\s'\"]+", literal)), key=len)

    @cached_property
    def expression(self) -> str:
        """What it looks like, whatever fills its placeholders and wherever its lines were broken."""
        kinds = placeholders()
        made = []
        for literal, name, kind, _ in self.parts:
            made.append(_of_words(literal))
            if name is not None:
                pattern = kinds[kind or name]["pattern"]
                made.append(f"(?P<{name}>{pattern})")
        return "".join(made)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.expression)

    def search(self, text: str) -> re.Match[str] | None:
        return self.pattern.search(text) if self.anchor in text else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        return self.pattern.finditer(text) if self.anchor in text else iter(())

    def filled(self, turn: int = 0) -> str:
        """As a program would print it, each placeholder filled with one of the examples of its kind."""
        kinds = placeholders()
        parts = []
        for literal, name, kind, _ in self.parts:
            parts.append(literal)
            if name is not None:
                examples = kinds[kind or name]["examples"]
                parts.append(examples[turn % len(examples)])
        return "".join(parts)


def _of_words(literal: str) -> str:
    parts = re.split(r"(\s+)", literal)
    return "".join(
        rf"\s{{0,{_MOST_SPACE}}}" if part.isspace() else _QUOTES.sub(lambda _: _ANY_QUOTE, re.escape(part))
        for part in parts
    )


@lru_cache
def placeholders() -> dict[str, dict[str, str]]:
    """The kinds of what a message leaves open, each with its pattern and examples."""
    found: dict[str, dict[str, str]] = table("messages")["placeholders"]
    return found


@lru_cache
def messages() -> tuple[Message, ...]:
    """The whole table."""
    fields = Message.__dataclass_fields__
    told = ({key: value for key, value in row.items() if key in fields} for row in rows("messages", "messages"))
    return tuple(Message(**{**row, "may_be": tuple(row.get("may_be", ()))}) for row in told)


@lru_cache
def messages_of(rule_id: str) -> tuple[Message, ...]:
    """What proves this rule's fault."""
    return tuple(message for message in messages() if message.proves == rule_id)


def message_of(match: re.Match[str]) -> Message | None:
    """The row whose text was found; None where it was an expression of a rule."""
    return next((message for message in messages() if message.expression == match.re.pattern), None)

"""Placeholders: the same thing has the same one across a whole report, so that relations survive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType

MAX_LITERALS = 500
"""Names that are looked for as words; more than this no machine has learnt from its own report."""

_DISTINCT = re.compile(r"[^A-Za-z]*[A-Za-z].*[\d._-]|\D*\d.*[A-Za-z]")
LAYOUT = frozenset(
    "bin lib lib64 lib32 libexec share include etc opt usr var tmp src site-packages dist-packages envs env venv conda "
    "miniconda miniconda3 anaconda anaconda3 mambaforge miniforge miniforge3 micromamba mamba cuda torch python "
    "scripts pkgs".split()
)
STRUCTURE = LAYOUT | frozenset(
    "code projects project proj repos git work workspace data datasets models cache build nvidia".split()
)
"""Folders that software lays out, and no user is called by."""


class Names:
    """What has been taken out so far, by kind."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._words: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self.learning = False
        """Names are only gathered: what is written now is thrown away."""
        self.kept: frozenset[str] = frozenset()
        """Words of this very report that are no names: its packages, libraries and versions."""

    def of(self, kind: str, value: str) -> str:
        """The placeholder of a thing: `<home-1>`."""
        known = self._numbers.get((kind, value))
        if known is None:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            known = self._numbers[kind, value] = f"<{kind}-{self._counts[kind]}>"
        return known

    def name(self, kind: str, value: str) -> str:
        """The placeholder of a user or a host, which is looked for as a word from now on; see `is_word`."""
        shown = self.of(kind, value)
        self.same(value, shown)
        return shown

    def same(self, value: str, shown: str) -> None:
        """Look for a name as a word from now on, where it can only be one."""
        if len(self._words) < MAX_LITERALS and value not in self._words and self.is_distinct(value):
            self._words[value] = shown
            self._pattern = None

    def is_distinct(self, word: str) -> bool:
        """Whether a word can only be a name: what we say ourselves, and what software is called, stays.

        A user called `torch` must not cost a report its diagnosis.
        """
        if len(word) < 3 or word in self.kept or word.lower() in ordinary_words():
            return False
        return bool(_DISTINCT.match(word)) or word.isalpha()

    def words(self, text: str) -> str:
        """The text without the names that have been learnt."""
        if self.learning or not self._words:
            return text
        if self._pattern is None:
            longest_first = sorted(self._words, key=len, reverse=True)
            self._pattern = re.compile(rf"(?<![\w.<-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")
        return self._pattern.sub(lambda match: self._words[match.group()], text)


@lru_cache
def ordinary_words() -> frozenset[str]:
    """The words that cudacheck's rules listen for and speak in, lower-case."""
    from cudacheck import registry, remedies, rules
    from cudacheck.judging import verdict
    from cudacheck.model.declared import modules_of
    from cudacheck.remedies import installers

    said: set[str] = set(STRUCTURE)
    said.update(re.findall(r"[a-z]+", " ".join(m for rule in registry.rules() for m in rule.messages).lower()))
    for module in (installers, remedies, verdict, *modules_of(rules)):
        texts = [module.__doc__ or ""]
        for value in vars(module).values():
            if isinstance(value, FunctionType):
                texts.extend(_strings(value.__code__))
        said.update(re.findall(r"[a-z]+", " ".join(texts).lower()))
    return frozenset(said)


def _strings(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _strings(constant)

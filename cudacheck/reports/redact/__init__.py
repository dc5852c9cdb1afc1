"""Takes what identifies a person or a machine, and what opens a door, out of a report.

By field, as each says what it holds (`cudacheck.probes.holds`), and by pattern in free text; never by the letters of a
user's name wherever they occur. What rules judge by stays, so that a redacted report has the same findings.
"""

from __future__ import annotations

import dataclasses
import getpass
import re
import socket
import typing
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from cudacheck.model.facts import Facts
from cudacheck.model.holds import Holds
from cudacheck.reports.redact import _patterns, _shown
from cudacheck.reports.redact._names import Names
from cudacheck.reports.redact._places import Places

if typing.TYPE_CHECKING:
    from cudacheck.model.report import Report

T = TypeVar("T")

BUDGET = 2 * 1024 * 1024
"""Characters of text that are gone through; a report of a machine has a quarter of that."""
LEFT_OUT = "<left out>"
"""Stands for what is beyond: nothing leaves that was not looked at."""
LONGEST = 64 * 1024
"""Characters of one text that are kept; rules listen to the first few thousand."""
SHORT = 100
"""Texts up to this length are quoted whole."""

_GPU_PLACEHOLDER = re.compile(r"(GPU|MIG)-0{8}-0{4}-0{4}-0{4}-\d{12}")
_QUOTED_OR_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"=;|&()]+")
_PLACEHOLDER = re.compile(r"<[a-z]+-\d+>")


def redacted(report: Report) -> Report:
    """The report without what identifies a person or a machine.

    It is gone through twice: what the end of it tells about a name is put to use at its beginning.
    """
    return Redactor().of_report(report)


class Redactor:
    """One report's worth of placeholders. Home, user and host are this machine's unless given."""

    def __init__(self, *, home: str | None = None, user: str | None = None, host: str | None = None) -> None:
        self.names = Names()
        self.places = Places(self.names)
        self._seen: dict[tuple[Holds, str], str] = {}
        self._gpus: dict[str, str] = {}
        self._long: list[str] = []
        self._lines: dict[str, str] = {}
        self._firsts: dict[tuple[int, int, str], int] = {}
        self._left = BUDGET
        self._own_host = (_host() if host is None else host).lower()
        self.places.know(_home() if home is None else home)
        self._own_user = _user() if user is None else user

    # What is in a report

    def of_report(self, report: Report) -> Report:
        self.names.learning = True
        self.learn(report)
        self.of_value(report)
        self.names.learning = False
        self._seen.clear()
        self._lines.clear()
        self._left = BUDGET
        return self.of_value(report)

    def learn(self, report: Report) -> None:
        """Look through the fields that say what they hold before anything is replaced."""
        kept: set[str] = set()
        fact_types: tuple[Any, ...] = report.facts.types()
        for fact_type in fact_types:
            fields = _fields(fact_type)
            for fact in report.facts.all(fact_type):
                for name, hint, _ in fields:
                    self._learn(getattr(fact, name), hint, kept)
        self.names.kept = frozenset(kept)
        if self._own_user not in {"", "root"}:
            self.names.name("user", self._own_user)
        if self._own_host:
            self.host(self._own_host)

    def _learn(self, value: Any, hint: Any, kept: set[str]) -> None:
        if isinstance(value, str):
            kind = holds(hint)
            if kind is Holds.TERM:
                kept.add(value)
            elif kind in {Holds.UUID, Holds.PATH}:
                self.text(value, kind)
            elif len(value) > SHORT:
                self._long.append(value)
        elif isinstance(value, tuple):
            for item in value:
                self._learn(item, _inner(hint), kept)

    def of_value(self, value: T, hint: Any = None) -> T:
        """The same value with every text in it redacted as its hint says."""
        return typing.cast("T", self._of_value(value, hint))

    def _of_value(self, value: Any, hint: Any) -> Any:
        if isinstance(value, str):
            return self.text(value, holds(hint)) if type(value) is str else value
        if isinstance(value, Facts):
            return Facts(
                (self.of_value(fact) for kind in value.types() for fact in value.all(kind)),
                complete=filter(value.is_complete, value.types()),
            )
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changed = {}
            for name, field_hint, kind in _fields(type(value)):
                old = getattr(value, name)
                new = self.text(old, kind) if type(old) is str else self._of_value(old, field_hint)
                if new is not old:
                    changed[name] = new
            return dataclasses.replace(value, **changed) if changed else value
        if isinstance(value, tuple):
            return tuple(self._of_value(item, _inner(hint)) for item in value) if value else value
        if isinstance(value, dict):
            return {self._of_key(key): self._of_entry(key, item, hint) for key, item in value.items()}
        return value

    def _of_key(self, key: Any) -> Any:
        return self.text(key, Holds.TERM) if type(key) is str else key

    def _of_entry(self, key: Any, value: Any, hint: Any) -> Any:
        if isinstance(value, str) and value and _shown.is_secret_name(str(key)):
            return self.names.of("token", value)
        if not isinstance(value, str) or holds(_inner(hint)) is not Holds.FREE_TEXT:
            return self._of_value(value, _inner(hint))
        shown, beside = self.text(value), f"{key}="
        if shown != value:
            return shown
        told = self.text(beside + value)  # what a variable is called may say what it holds
        return told.removeprefix(beside) if told.startswith(beside) else shown

    def text(self, value: str, kind: Holds = Holds.FREE_TEXT) -> str:
        """One text that holds this."""
        if kind is Holds.TERM and _is_plain(value):
            return value
        key = kind, value
        known = self._seen.get(key)
        if known is None:
            value = value if len(value) <= LONGEST else _beginning(value)
            self._left -= len(value)
            known = self._by_kind[kind](self, value) if value and self._left > 0 else LEFT_OUT if value else value
            self._seen[key] = known
        return known

    # By field

    def _term(self, value: str) -> str:
        return self._apply(_patterns.IN_TERMS, value)

    def _path(self, value: str) -> str:
        return self._free(self.places.hidden(value) if value[0] in "/\\" or value[1:2] == ":" else value)

    def _command_line(self, value: str) -> str:
        """Only what the program is called.

        >>> Redactor(home="", user="", host="").text("/usr/bin/python3 train.py --api-key x", Holds.COMMAND_LINE)
        'python3'
        """
        windows = re.match(r"(?i)[a-z]:\\[^\n]*?([^\\\n]{1,100}\.exe)\b", value)
        program = windows[1] if windows else re.split(r"\s", value.strip(), maxsplit=1)[0] if value.strip() else ""
        if value.startswith("["):  # what nvidia-smi puts where there is no name
            return value if re.fullmatch(r"\[[A-Za-z/ ]{1,40}\]", value) else "<process>"
        hidden = self.places.hidden(program)
        name = re.split(r"[/\\]", hidden)[-1]
        return self._free(name) if name and not name.startswith("<home") else "<process>"

    def _shell(self, value: str) -> str:
        """A placeholder is quoted as the word it stands in would be."""
        shown = self._free(value)
        return shown if shown == value else _QUOTED_OR_WORD.sub(_quoted, shown)

    def _free(self, value: str) -> str:
        return self._cut(value) if value[-1] == "…" and value[-2:] != "/…" else self._whole(value)

    def _cut(self, value: str) -> str:
        """What was quoted in part may end within a secret: the whole is redacted, then cut again."""
        stem = value[:-1].rstrip()
        for text in self._long:
            for line in text.split("\n"):
                words = " ".join(line.split())
                if words.startswith(stem) and stem:
                    shown = self._whole(words)
                    return shown if len(shown) < len(value) else f"{shown[: len(value) - 1]}…"
        beginning, _, last = stem.rpartition(" ")
        return self._whole(f"{beginning} …" if len(last) > 7 and not last.isalpha() else value)

    def _whole(self, value: str) -> str:
        for home in self.places.with_blanks:
            value = home.sub(lambda match: self.places.hidden(match.group()), value)
        lines = self._apply(_patterns.WHOLE, value).split("\n")
        return "\n".join(map(self._line, lines))

    def _line(self, line: str) -> str:
        known = self._lines.get(line)
        if known is None:
            known = self._lines[line] = self.names.words(self._apply(_patterns.TABLE, line))
        return known

    def _apply(self, patterns: tuple[_patterns.Pattern, ...], value: str) -> str:
        begin, most = 0, len(patterns)
        while begin < most:
            key = most, begin, value
            at = self._firsts.get(key)
            if at is None:
                at, value = self._searched(patterns, begin, value)
                self._firsts[key] = at
            elif at < most:
                value = patterns[at].finds.sub(partial(patterns[at].shown, self), value)
            begin = at + 1
        return value

    def _searched(self, patterns: tuple[_patterns.Pattern, ...], begin: int, value: str) -> tuple[int, str]:
        """The number of the first pattern from this one on that occurs in a text, and the text without what it found.

        What has been learnt changes what is shown, never what is found: the second time through nothing is searched.
        """
        lower = value.lower()
        for at in range(begin, len(patterns)):
            if patterns[at].may_be_in(value, lower):
                shown, found = patterns[at].finds.subn(partial(patterns[at].shown, self), value)
                if found:
                    return at, shown
        return len(patterns), value

    # By what it is

    def gpu(self, uuid: str) -> str:
        """A UUID of the same form, so that what names a GPU by its UUID or by the start of one still does."""
        if uuid.startswith("MIG-GPU-"):
            whole, slash, instance = uuid[4:].partition("/")
            return f"MIG-{self.gpu(whole)}{slash}{instance}"
        prefix = "MIG" if uuid.startswith("MIG-") else "GPU"
        if _GPU_PLACEHOLDER.fullmatch(uuid):
            return self._gpus.setdefault(uuid, uuid)
        known = self._gpus_from(uuid)
        if uuid not in self._gpus and len(known) == 1:
            return self._gpus[known[0]]
        if uuid not in self._gpus and known:
            return f"{prefix}-00000000"
        if uuid not in self._gpus:
            taken = {shown[4:] for shown in self._gpus.values()}
            number = next(n for n in range(1, len(taken) + 2) if f"00000000-0000-0000-0000-{n:012d}" not in taken)
            self._gpus[uuid] = f"{prefix}-00000000-0000-0000-0000-{number:012d}"
            self.names.same(uuid, self._gpus[uuid])
        return self._gpus[uuid]

    def knows_gpu(self, start: str) -> bool:
        return bool(self._gpus_from(start))

    def _gpus_from(self, start: str) -> list[str]:
        return [uuid for uuid in self._gpus if uuid.startswith(start) and not _GPU_PLACEHOLDER.match(uuid)]

    def user(self, name: str) -> str:
        return name if name == "root" or name.startswith("<") else self.names.name("user", name)

    def host(self, name: str) -> str:
        """A host's placeholder; its own where many thousand tickets name it. `a.b` and `a` are one host."""
        plain = name.rstrip(".").lower()
        if plain in _shown.PUBLIC_HOSTS or plain.strip("[]") in {"::1", "0.0.0.0", "127.0.0.1"}:  # noqa: S104
            return name
        if re.fullmatch(r"\[?[0-9a-f:]*:[0-9a-f:.%]*\]?|[\d.]+", plain):
            return self.names.of("ip", plain.strip("[]")) if re.search(r"\d", plain) else name
        short = plain.partition(".")[0]
        alone = re.search(r"\d|-", short) is not None or short == self._own_short
        shown = self.names.of("host", short if alone else plain)
        for spelling in (name.rstrip("."), plain, *([short] if alone else [])):
            self.names.same(spelling, shown)
        return shown

    def is_own(self, host: str) -> bool:
        """Whether this is what the machine is called; a machine called `torch` cannot be told from the package."""
        return self.names.is_distinct(self._own_short) and host.lower().partition(".")[0] == self._own_short

    @property
    def _own_short(self) -> str:
        return self._own_host.partition(".")[0]

    _by_kind: typing.ClassVar[dict[Holds, Callable[[Redactor, str], str]]] = {
        Holds.TERM: _term,
        Holds.PATH: _path,
        Holds.UUID: lambda self, value: self.gpu(value),
        Holds.SERIAL: lambda self, value: self.names.of("serial", value),
        Holds.USER: lambda self, value: self.user(value),
        Holds.HOST: lambda self, value: self.host(value),
        Holds.COMMAND_LINE: _command_line,
        Holds.SHELL: _shell,
        Holds.FREE_TEXT: _free,
    }


def _is_plain(term: str) -> bool:
    """Too short for a secret: kept, however much was gone through before; the schema's version is one of these."""
    return len(term) < 16 and "@" not in term and "://" not in term


def holds(hint: Any) -> Holds:
    """What a type hint says about its text: `Annotated[str, Holds.PATH] | None`. Free text where it says nothing."""
    return declared(hint) or Holds.FREE_TEXT


@lru_cache(maxsize=1000)
def declared(hint: Any) -> Holds | None:
    if typing.get_origin(hint) is typing.Annotated:
        return next((extra for extra in typing.get_args(hint)[1:] if isinstance(extra, Holds)), None)
    return next(filter(None, map(declared, typing.get_args(hint))), None)


@lru_cache(maxsize=1000)
def _inner(hint: Any) -> Any:
    """Of `tuple[X, ...]` and `dict[str, X]`, with or without None: X."""
    arguments = [a for a in typing.get_args(hint) if a is not type(None) and a is not ...]
    origin = typing.get_origin(hint)
    if origin is tuple:
        return arguments[0] if arguments else None
    if origin is dict:
        return arguments[1]
    return _inner(arguments[0]) if arguments and origin is not typing.Annotated else None


@lru_cache(maxsize=1000)
def _fields(cls: Any) -> tuple[tuple[str, Any, Holds], ...]:
    """The fields that may hold text, with their hints and what that text holds."""
    hints = typing.get_type_hints(cls, include_extras=True)
    numbers = {int, float, bool, type(None)}
    names = [field.name for field in dataclasses.fields(cls)]
    return tuple((name, hints[name], holds(hints[name])) for name in names if not _leaves(hints[name]) <= numbers)


def _leaves(hint: Any) -> set[Any]:
    arguments = typing.get_args(hint)
    return set().union(*map(_leaves, arguments)) if arguments else {hint}


def _quoted(match: re.Match[str]) -> str:
    word = match.group()
    if word[0] in "'\"" or not _PLACEHOLDER.search(word):
        return word
    return f'"{word}"' if "\\" in word else f"'{word}'"


def _beginning(text: str) -> str:
    """Cut between two words, because half a secret looks like none."""
    words = text[:LONGEST].rpartition("\n")[0] or text[:LONGEST].rpartition(" ")[0]
    return f"{words}\n{LEFT_OUT}"


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # a container whose uid has no home
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose uid has no name
        return ""


def _host() -> str:
    return socket.gethostname()

"""Looks once more at what is about to be shared, decoded, for what redaction should have taken out.

With a table of its own, from what the issuers of keys document, and by how random a word is: redaction's patterns,
which go by what software prints, are not asked. It changes nothing, and what it names may be harmless.
"""

from __future__ import annotations

import bisect
import html
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cudacheck.model.report import Report
from cudacheck.reports import redact
from cudacheck.reports.redact._names import Names
from cudacheck.reports.write import as_dict

LONGEST = 64 * 1024
"""Of one text."""
MOST = 100
SHOWN = 4
"""Characters of a secret that are shown, to find it by."""

_FORMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a private key", ("PRIVATE KEY",), r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY"),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"),
        r"gh[opusr]_[A-Za-z0-9]{30,}|github_pat_\w{22,}",
    ),
    (
        "a GitLab token",
        ("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glft-", "glsoat-"),
        r"gl(?:pat|ptt|dt|rt|cbt|ft|soat)-[\w-]{18,}",
    ),
    ("a Hugging Face token", ("hf_",), r"hf_[A-Za-z0-9]{24,}"),
    ("an NVIDIA key", ("nvapi-",), r"nvapi-[\w-]{24,}"),
    (
        "an API key",
        ("sk-", "pk_", "rk_", "sk_", "r8_"),
        r"sk-[A-Za-z0-9][\w-]{18,}|(?:pk|rk|sk)_(?:live|test)_\w{16,}|r8_[A-Za-z0-9]{30,}",
    ),
    ("an AWS key", ("AKIA", "ASIA", "AROA", "AIDA"), r"A(?:KIA|SIA|ROA|IDA)[A-Z0-9]{16}(?![A-Z0-9])"),
    ("a Google key", ("AIza", "ya29.", "GOCSPX-"), r"AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"),
    ("a Slack token", ("xox", "hooks.slack"), r"xox[a-z]-[\w-]{10,}|hooks\.slack\.com/services/[\w/]{10,}"),
    ("a Databricks token", ("dapi",), r"dapi[0-9a-f]{32}"),
    ("a bearer's token", ("earer",), r"[Bb]earer [\w.~+/-]{20,}"),
    ("an npm token", ("npm_",), r"npm_[A-Za-z0-9]{30,}"),
    ("a PyPI token", ("pypi-",), r"pypi-[\w-]{40,}"),
    ("a Docker token", ("dckr_pat_",), r"dckr_pat_[\w-]{20,}"),
    ("an Azure key", ("Key=", "sig="), r"(?:AccountKey|SharedAccessKey|sig)=[A-Za-z0-9+/%]{20,}"),
    ("a JSON web token", ("eyJ",), r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}"),
    ("a login in an address", ("://",), r"://[^\s:@/<>\"']{0,80}:[^\s:@/<>\"']{1,80}@"),
    (
        "a mail address",
        ("@",),
        r"[\w.+-]{1,64}(?<!\bgit)@(?!lib)(?:[a-z0-9-]{1,40}\.){1,4}(?:com|org|net|edu|io|ai|dev|gov|[a-z]{2})\b",
    ),
    (
        "a home folder",
        ("/home/", "/Users/", "Users\\"),
        r"/(?:home|Users)/[A-Za-z0-9][\w.-]{0,60}|[A-Z]:\\+Users\\+\w[\w .-]{0,40}",
    ),
    (
        "the UUID of a GPU",
        ("GPU-", "MIG-"),
        r"(?:GPU|MIG)-(?!0{8}-0{4}-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    ("a MAC address", (":",), r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![:\w])"),
    (
        "an IP address",
        (".",),
        r"(?:(?<=//)|(?<=host |peer |from )|(?<=at |to ))(?!127\.|0\.0\.)\d{1,3}(?:\.\d{1,3}){3}(?![.\w])",
    ),
)
"""What it is, a part of which one is always in it, and its form."""
_SECRETS = tuple(
    (what, anchors, re.compile(form if form.startswith(":") else rf"(?<![A-Za-z0-9])(?:{form})"))
    for what, anchors, form in _FORMS
)
_ASSIGNED = re.compile(
    r"(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credentials?)[\"']?\s{0,3}[=:]\s{0,3}[\"']?"
    r"([^\s\"',;<>&]{8,200})",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"(?<![\w+/=.-])[A-Za-z0-9+/_-]{32,200}={0,2}(?![\w+/=.-])")
LEAST_ENTROPY = 4.4
"""Bits for each letter: base64 of 32 random bytes has about 4.9, words and paths less than 4."""
_BENIGN = re.compile(r"_Z|sha\d|git[0-9a-f]|[0-9a-f-]+\Z|.*[a-z]{9}")
"""Mangled symbols, hashes, words."""
GAP = "\n" * 8
"""Between two texts: no form reaches over it."""

Hit = tuple[int, str, str]
"""Where it begins, what it looks like, how it reads."""
Own = Sequence[tuple[str, re.Pattern[str]]]


@dataclass(frozen=True)
class Suspicion:
    what: str
    """`a GitHub token`"""
    where: str
    """`facts.ErrorMessage[0].text`, `line 12`"""
    shown: str
    """How it begins."""


def suspicions(report: Report, text: str) -> list[Suspicion]:
    """What still looks like a secret in a report, and in the text of the ticket that it was read back from."""
    seen: dict[tuple[str, str], Suspicion] = {}
    own = _own()
    leaves = [(where, said[:LONGEST]) for where, said in _leaves(as_dict(report), "")]
    lines = [(f"line {number}", line[:LONGEST]) for number, line in enumerate(_plain(text).split("\n"), 1)]
    for texts, randomly in ((leaves, True), (lines, False)):
        for where, what, found in _hits(texts, own, randomly=randomly):
            seen.setdefault((what, found), Suspicion(what, where, f"{found[:SHOWN]}…"))
    return [*seen.values()][:MOST]


def _hits(texts: Sequence[tuple[str, str]], own: Own, *, randomly: bool) -> list[tuple[str, str, str]]:
    """Where, what and how it reads, in order: all texts are searched as one, for most are short and there are many."""
    joined = GAP.join(said for _, said in texts)
    starts = [*itertools.accumulate((len(said) + len(GAP) for _, said in texts), initial=0)]
    formed = [(bisect.bisect_right(starts, at) - 1, what, found) for at, what, found in _formed(joined)]
    told = {number for number, *_ in formed}
    found = [(bisect.bisect_right(starts, at) - 1, what, said) for at, what, said in _named(joined, own)]
    if randomly:
        words = ((bisect.bisect_right(starts, at) - 1, what, said) for at, what, said in _random(joined))
        found += (hit for hit in words if hit[0] not in told)
    return [(texts[number][0], what, said) for number, what, said in sorted([*formed, *found])]


def _leaves(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text of the report, with the way to it; a dictionary's keys may be a stranger's, too."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and "facts" in where:
                yield f"{where}.{key}"[:80], f"{key}={item}"
            else:
                yield from _leaves(item, f"{where}.{key}"[:80].lstrip("."))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{where}[{number}]"[:80])


def _formed(text: str) -> Iterator[Hit]:
    for what, anchors, form in _SECRETS:
        if any(anchor in text for anchor in anchors):
            for match in form.finditer(text):
                yield match.start(), what, match.group()
    for match in _ASSIGNED.finditer(text):
        if re.search(r"\d", match[1]) and re.search(r"[A-Za-z]", match[1]):
            yield match.start(), "what a word like `token` stands beside", match[1]


def _random(text: str) -> Iterator[Hit]:
    for match in _RANDOM.finditer(text):
        word = match.group()
        kinds = sum(re.search(kind, word) is not None for kind in ("[a-z]", "[A-Z]", "[0-9]"))
        if kinds == 3 and not _BENIGN.match(word) and _entropy(word) > LEAST_ENTROPY:
            yield match.start(), "a random word", word


def _entropy(word: str) -> float:
    """Shannon's, in bits for each letter."""
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _own() -> Own:
    """How this machine and its user are called, where that is no word of software."""
    user, host, home = redact._user(), redact._host(), redact._home()  # noqa: SLF001 - the same room
    named = [("your user name", user), ("this machine's name", host.partition(".")[0])]
    words = [(what, name) for what, name in named if name != "root" and Names().is_distinct(name)]
    homes = [("your home folder", home)] if home.count("/") > 1 else []
    return [(what, re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")) for what, name in (*words, *homes)]


def _named(text: str, own: Own) -> Iterator[Hit]:
    for what, pattern in own:
        for match in pattern.finditer(text):
            yield match.start(), what, match.group()


def _plain(text: str) -> str:
    """Without what Markdown and HTML write before and within a word."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))

"""Reads what somebody says in words: one PyTorch, one GPU, one driver, whether PyTorch sees CUDA, WSL, and a Mac.

A sentence may be about another machine, or a version that is gone. So a thing counts only where the whole text names
one of its kind, not as a former or a wanted one, and where nothing that software printed tells of it
(sources/__init__.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cudacheck import knowledge
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.sources import _torch_builds
from cudacheck.sources._source import Source

FOUND_IN = "what is said"
MAX_LINE = 600
_TORCH = re.compile(
    r"\b(?:py)?torch(?: version)?(?:[ =:v]{1,4}| (?:is|as|was) `?)(\d\.\d{1,2}\.\d)(?:\+|,? ?\(?)(cu\d{3}|cpu)\b",
    re.IGNORECASE,
)
_DRIVER = re.compile(r"\bdriver(?: version)?[ :=v]{1,4}(\d{3}\.\d{2,3}(?:\.\d{2})?)\b", re.IGNORECASE)
_CONSUMER = re.compile(
    r"\b(?:(?:NVIDIA|GeForce|Quadro) )*((?:RTX|GTX)[ -]?(?:A\d{4}|\d{3,4})(?: ?(?:Ti|SUPER))?(?: Laptop GPU)?)\b",
    re.IGNORECASE,
)
_NICKNAME = re.compile(r"\b(?:my|an?|single|one|have (?:the )?) (\d{4}(?: ?Ti| SUPER)?)\b", re.IGNORECASE)
_BOARD = re.compile(
    r"(?<![\w-])(?:NVIDIA |Tesla )?((?:(?:GH|GB|A|B|H|L|P|T|V)\d|[KM]\d\d)\d{0,2}(?:[A-Z]|m\b)?)(?![\w.-])"
)
_PRINTED = re.compile(r"\W*(?:GPU models and configuration:|GPU \d+:)|\s*\|")
"""What software prints of GPUs: in words somebody may speak of another."""
_PAIR = re.compile(_CONSUMER.pattern + r" ?(?:and|\+|&) ?(?:an? |my |one )?" + _CONSUMER.pattern, re.IGNORECASE)
_AVAILABLE = re.compile(r"is_available\(\)`?\s*(?:returns?|is|gives?|says?|prints?|->|=>|==?|:)\s*`?(True|False)\b")
_WSL = re.compile(
    r"\[x\] WSL ?[12]\b|(?<!\[ \] )\bWSL ?2\b|\b(?:in|on|under|inside|within|using) WSL\b(?! ?1)", re.IGNORECASE
)
"""WSL 1 only where a form's box is ticked: it alone convicts."""
_MAC = re.compile(r"\b(?:my|on|in|using|with) (?:my |an? |the )?(?:Apple )?(?:M\d \w{0,5} ?)?(?:MacBook|iMac|Mac)\b")
_ELSEWHERE = re.compile(r"nvidia|geforce|\b(?:ssh|servers?|remote|cluster|colab|kaggle|docker)\b", re.IGNORECASE)
"""A Mac may be what somebody types on."""
_NOT_THIS = re.compile(
    r"\b(?:from|before|earlier|previous(?:ly)?|used to|instead of|unlike|works? (?:on|with)|another|other|friend\S*|"
    r"need\w*|requires?|at least|than|not|upgrad\w+|downgrad\w+|try|tried|if|should|or)\b",
    re.IGNORECASE,
)
NEAR = 30
"""Letters from there to what is named."""


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Each thing of which one is named.

    >>> for fact in facts(["I have a 4090 and torch 2.8.0+cu128;", "torch.cuda.is_available() returns False"]):
    ...     print(getattr(fact, "version", None) or getattr(fact, "name", None) or fact.available)
    2.8.0+cu128
    NVIDIA GeForce RTX 4090
    False
    """
    told = [line[:MAX_LINE] for line in lines if line.count(" ") >= 2]
    builds = (f"{match[1]}+{match[2].lower()}" for match in _named(_TORCH, _with("torch", told)))
    if (version := _only(builds)) is not None:
        yield _torch_builds.named(version, FOUND_IN)
    gpus = {*_gpus(told)}
    for index, gpu in enumerate(_beside(told, gpus) or filter(None, [_only(gpus)])):
        yield Gpu(index, gpu, compute_capability=knowledge.capability_of(gpu), found_in=FOUND_IN)
    if (driver := _only(match[1] for match in _named(_DRIVER, _with("driver", told)))) is not None:
        yield Nvml(None, driver_version=driver, found_in=FOUND_IN)
    if (available := _only(match[1] for match in _named(_AVAILABLE, _with("is_available", told)))) is not None:
        yield TorchCuda(available == "True", found_in=FOUND_IN)
    systems = ("1" if match[0].endswith("1") else "2" for match in _named(_WSL, _but_questions(_with("wsl", told))))
    if (wsl := _only(systems)) is not None:
        yield System("linux", wsl=int(wsl), found_in=FOUND_IN)
    elif any(_named(_MAC, _with("mac", told))) and not gpus and not any(map(_ELSEWHERE.search, lines)):
        yield System("darwin", found_in=FOUND_IN)


def _with(word: str, lines: Sequence[str]) -> list[str]:
    """Those that hold it, in whichever case: quicker than to look for what it is part of."""
    return [line for line in lines if word in line.lower()]


def _but_questions(lines: Sequence[str]) -> list[str]:
    """Those of a form among them: `Are you using WSL 1 or WSL 2?`"""
    return [line for line in lines if not line.rstrip().endswith("?")]


def _named(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    """Each place that is not about something former, wanted, or another's."""
    for line in lines:
        for match in pattern.finditer(line):
            if not _is_other(line[max(match.start() - 2 * NEAR, 0) : match.start()]):
                yield match


def _in_words(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    return (match for match in _named(pattern, lines) if not _PRINTED.match(match.string))


def _is_other(before: str) -> bool:
    """Whether what is named behind these words, in the same sentence, is not what this is about."""
    since = max(before.rfind("."), before.rfind(";")) + 1
    return any(len(before) - match.end() <= NEAR for match in _NOT_THIS.finditer(before, since))


def _only(values: Iterable[str]) -> str | None:
    """The one value, however often it is named."""
    found = {*values}
    return found.pop() if len(found) == 1 else None


def _beside(lines: Sequence[str], gpus: set[str]) -> tuple[str, ...]:
    """Two that one sentence puts into one machine, where no others are named: `an RTX 3060 and a GTX 1060`."""
    pairs = {
        tuple(f"NVIDIA {found[0]}" for found in map(knowledge.gpu_called, match.groups()) if found)
        for match in _in_words(_PAIR, _with("tx", lines))
    }
    pair = pairs.pop() if len(pairs) == 1 else ()
    return pair if len(set(pair)) == 2 and set(pair) == gpus else ()


def _gpus(lines: Sequence[str]) -> Iterator[str]:
    for pattern, among in ((_CONSUMER, _with("tx", lines)), (_NICKNAME, lines), (_BOARD, lines)):
        for match in _in_words(pattern, among):
            if found := knowledge.gpu_called(match[1].replace("-", " ")):
                yield f"NVIDIA {found[0]}"


SOURCE = Source(facts=facts, trust=1)

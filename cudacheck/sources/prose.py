"""Reads what somebody says in words: one PyTorch, one GPU, one driver, whether PyTorch sees CUDA, and WSL.

A sentence may be about another machine, or a version that is gone. So a thing counts only where the whole text names
one of its kind, not as a former or a wanted one, and where nothing that software printed tells of it
(sources/__init__.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
_NOT_THIS = re.compile(
    r"\b(?:from|before|earlier|previous(?:ly)?|used to|instead of|unlike|works? (?:on|with)|another|other|friend\S*|"
    r"need\w*|requires?|at least|than|not|upgrad\w+|downgrad\w+|try|tried|if|should|or)\b[^.;]{0,30}$",
    re.IGNORECASE,
)


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Each thing of which one is named.

    >>> for fact in facts(["I have a 4090 and torch 2.8.0+cu128;", "torch.cuda.is_available() returns False"]):
    ...     print(getattr(fact, "version", None) or getattr(fact, "name", None) or fact.available)
    2.8.0+cu128
    NVIDIA GeForce RTX 4090
    False
    """
    told = [line[:MAX_LINE] for line in lines if line.count(" ") >= 2]
    if (version := _only(f"{match[1]}+{match[2].lower()}" for match in _named(_TORCH, told))) is not None:
        yield _torch_builds.named(version, FOUND_IN)
    in_words = [line for line in told if not _PRINTED.match(line)]
    for index, gpu in enumerate(_beside(in_words) or filter(None, [_only(_gpus(in_words))])):
        yield Gpu(index, gpu, compute_capability=knowledge.capability_of(gpu), found_in=FOUND_IN)
    if (driver := _only(match[1] for match in _named(_DRIVER, told))) is not None:
        yield Nvml(None, driver_version=driver, found_in=FOUND_IN)
    if (available := _only(match[1] for match in _named(_AVAILABLE, told))) is not None:
        yield TorchCuda(available == "True", found_in=FOUND_IN)
    if (
        wsl := _only("1" if match[0].endswith("1") else "2" for match in _named(_WSL, _but_questions(told)))
    ) is not None:
        yield System("linux", wsl=int(wsl), found_in=FOUND_IN)


def _but_questions(lines: Sequence[str]) -> list[str]:
    """Those of a form among them: `Are you using WSL 1 or WSL 2?`"""
    return [line for line in lines if not line.rstrip().endswith("?")]


def _named(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    """Each place that is not about something former, wanted, or another's."""
    for line in lines:
        for match in pattern.finditer(line):
            if not _NOT_THIS.search(line[max(match.start() - 60, 0) : match.start()]):
                yield match


def _only(values: Iterator[str]) -> str | None:
    """The one value, however often it is named."""
    found = {*values}
    return found.pop() if len(found) == 1 else None


def _beside(lines: Sequence[str]) -> tuple[str, ...]:
    """Two that one sentence puts into one machine, where no others are named: `an RTX 3060 and a GTX 1060`."""
    pairs = {
        tuple(f"NVIDIA {found[0]}" for found in map(knowledge.gpu_called, match.groups()) if found)
        for match in _named(_PAIR, lines)
    }
    pair = pairs.pop() if len(pairs) == 1 else ()
    return pair if len(set(pair)) == 2 and set(pair) == {*_gpus(lines)} else ()


def _gpus(lines: Sequence[str]) -> Iterator[str]:
    for pattern in (_CONSUMER, _NICKNAME, _BOARD):
        for match in _named(pattern, lines):
            if found := knowledge.gpu_called(match[1].replace("-", " ")):
                yield f"NVIDIA {found[0]}"


SOURCE = Source(facts=facts, trust=1)

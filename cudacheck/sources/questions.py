"""Reads what somebody asked PyTorch, in a REPL, a notebook, a script or by `python -c`, with the answers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from cudacheck.probes.host.nvml import Gpu
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.sources import _torch_builds
from cudacheck.sources._source import Source

FOUND_IN = "Python's answer"
WAITS = 12
"""Lines between a question and its answer: warnings, further questions."""
MAX_ASKED = 30

_VERSION = r"['\"]?(\d{1,2}\.\d{1,3}\.\d{1,3}[\w.+]{0,60})['\"]?"
_ARCHS = r"\[((?:['\"](?:sm|compute)_\d{2,3}[af]?['\"](?:, )?){0,30})\]"
QUESTIONS: dict[str, tuple[str, str]] = {
    "version": (r"torch\.__version__", _VERSION),
    "cuda": (r"torch\.version\.cuda", r"['\"]?(\d{1,2}\.\d{1,2}|None)['\"]?"),
    "available": (r"torch\.cuda\.is_available\(\)", r"(True|False)"),
    "count": (r"torch\.cuda\.device_count\(\)", r"(\d{1,3})"),
    "archs": (r"torch\.cuda\.get_arch_list\(\)", _ARCHS),
    "name": (r"torch\.cuda\.get_device_name\([^()]{0,40}\)", r"['\"]?([A-Z][\w .()-]{1,100}?)['\"]?"),
}
"""What is asked, and the form of its answer."""
_ASKED = re.compile("|".join(f"(?P<{key}>{asked})" for key, (asked, _) in QUESTIONS.items()))
_PROMPT = re.compile(r"\s*(?:In ?\[\d{0,4}\]:|\.{3}:?|\$|%|#)?\s*")
_OUT = re.compile(r"\s*Out ?\[\d{1,4}\]:\s*")
_ONE_LINER = re.compile(r".{0,200}\bpython[\d.]{0,5}(?:\.exe)? (?:-\w )*-c (['\"])(.{1,1000})\1\s*$")
_CODE = re.compile(r"(?:print ?\(.*\)|torch\.[\w.]+(?:\([^()]{0,40}\))?)\s*(?:#.*)?$")
_BARE = re.compile(r"\s*(\d{1,2}\.\d{1,3}\.\d{1,3}\+(?:cpu|cu\d{2,3}|rocm[\d.]{1,8}))[ ,]+(True|False)\s*$")
"""What nobody but PyTorch prints, whatever the question was."""


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Each answer that has the form of its question's; one that does not come is left out.

    >>> for fact in facts(["torch.__version__, torch.cuda.is_available()", "('2.14.1+cpu', False)"]):
    ...     print(getattr(fact, "version", None) or fact.available)
    2.14.1+cpu
    False
    """
    waiting: deque[tuple[int, list[str]]] = deque(maxlen=MAX_ASKED)
    for number, line in enumerate(lines):
        asked = [(number, keys) for keys in _asked(line)]
        if asked:
            waiting.extend(asked)
            continue
        while waiting and number - waiting[-1][0] > WAITS:
            waiting.clear()
        answer = _answer(line, waiting[0][1]) if waiting else None
        if answer is not None:
            told = dict(zip(waiting.popleft()[1], answer, strict=True))
            yield from _facts(told)
        elif match := _BARE.match(line):
            yield from _facts({"version": match.group(1), "available": match.group(2)})


def _asked(line: str) -> Iterator[list[str]]:
    """The questions of each statement whose value a line prints; code that only uses one asks nothing."""
    if "torch" not in line:
        return
    one_liner = _ONE_LINER.match(line)
    code = one_liner.group(2) if one_liner else line[: 2 * 1000]
    prompt = _PROMPT.match(code)
    for statement in code[prompt.end() if prompt else 0 :].split(";"):
        if _CODE.match(statement.strip()) or (_ASKED.match(statement.strip()) and "=" not in statement):
            keys = [str(match.lastgroup) for match in _ASKED.finditer(statement)]
            if keys:
                yield keys


def _answer(line: str, keys: Sequence[str]) -> list[str] | None:
    """The values in one line of output, with words before them and between them, but nothing behind."""
    if len(line) > 500 or not line.strip():
        return None
    out = _OUT.match(line)
    text = line[out.end() if out else 0 :].strip().removeprefix("(").removesuffix(")")
    between = r"(?:[^:=\n]{0,60}[:=] ?|[^\w\n]{0,4}(?:[A-Za-z]\w{0,20} )??)"
    match = re.fullmatch("".join(f"{between}{QUESTIONS[key][1]}" for key in keys), text)
    return [*match.groups()] if match else None


def _facts(told: dict[str, str]) -> Iterator[object]:
    if version := told.get("version"):
        build = _torch_builds.named(version, FOUND_IN)
        cuda = told.get("cuda")
        yield TorchBuild(version, cuda=cuda, found_in=FOUND_IN) if cuda and cuda != "None" else build
    elif cuda := told.get("cuda"):
        yield TorchBuild("", cuda=None if cuda == "None" else cuda, found_in=FOUND_IN)
    if archs := re.findall(r"\w{5,12}", told.get("archs", "")):
        yield TorchBuild("", cuda_known=False, arch_list=tuple(archs), found_in=FOUND_IN)
    if available := told.get("available"):
        yield TorchCuda(available == "True", found_in=FOUND_IN)
    if name := told.get("name"):
        yield Gpu(0, name, found_in=FOUND_IN)


SOURCE = Source(facts=facts, trust=50)

"""Takes off what issue trackers, terminals and chat windows put around pasted text; the words stay as they are."""

from __future__ import annotations

import html
import re

MAX_LINE = 20_000
"""Longer lines are cut: nothing that is understood here is longer."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)|[@-Z\\-_])")
_INVISIBLE = dict.fromkeys([0, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_LOOKALIKE = {0xA0: " ", 0x202F: " ", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0xFFE8: "|", 0x2502: "|"}
_TRANSLATION = {**_INVISIBLE, **_LOOKALIKE}
_TAG = re.compile(r"</?(?:details|summary|pre|code|p|br|div|span|b|sub|sup|kbd)\b[^<>]{0,200}>", re.IGNORECASE)
_FENCE = re.compile(r"\s{0,8}(?:`{3,}|~{3,})[^`~]{0,80}$")
_QUOTE = re.compile(r"(?:\s{0,8}>)+ ?")
_BULLET = re.compile(r"\s{0,16}(?:[-*•]|\d{1,2}[.)])\s+(?=\S)")
_PAIR = re.compile(
    r"\|[ *`]{0,80}([A-Za-z][\w ()?./-]{0,60}?)[ *`:]{0,80}"
    r"\|[ `]{0,80}([^|\s`][^|]{0,400}?)[ `]{0,80}\|?$"
)
"""A row of two cells: key and value in a table of Markdown. nvidia-smi's rows have three, or begin otherwise."""
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,\d]{0,12}(?:Z|[+-]\d\d:?\d\d)?[ \t]")
_LOG = re.compile(
    r"[\w.-]{1,60}-\d{1,3} +\| "  # docker compose
    r"|#\d{1,4} \d{1,5}\.\d{1,3} "  # docker build
    r"|\[(?:default|rank)\d{1,5}\]: ?"  # torchrun
    r"|\[\d{1,5},\d{1,5}\]<std(?:err|out)>: ?"  # mpirun
    r"|\(\w{1,60}(?: \w{1,10}=[^\s()]{1,40}){1,4}\) "  # Ray, and vLLM's processes
    r"|(?:ERROR|WARNING|INFO|DEBUG) \d\d-\d\d \d\d:\d\d:\d\d \[?[\w./-]{1,60}:\d{1,5}\] "  # vLLM
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,60} [\w./-]{1,60}(?:\[\d{1,7}\])?: "  # the system's journal
    r"|\[ {0,7}\d{1,9}\.\d{6}\] "  # the kernel's log
    r"|E {3,9}(?=\S)"  # pytest
)
"""What a line of a log begins with; a message on several lines has it in each of them."""
MAX_LOGS = 3
"""One within the other, as vLLM's in the system's journal."""


def lines(text: str) -> list[str]:
    r"""The lines of a paste, one for each line of the text, so that line numbers stay right.

    >>> lines("> **Python version:** 3.12\r\n\x1b[31mError 804\x1b[0m\n```text\n- `CUDA_HOME=/usr`")
    ['Python version: 3.12', 'Error 804', '', 'CUDA_HOME=/usr']
    """
    return [_line(raw[:MAX_LINE]) for raw in _dedented(_LINE_END.split(text.translate(_TRANSLATION)))]


def _dedented(lines: list[str]) -> list[str]:
    """Without what every line is indented by: a block of code in Markdown."""
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines] if margin else lines


def _line(line: str) -> str:
    if "\x1b" in line:
        line = _ESCAPE.sub("", line)
    if "<" in line:
        line = _TAG.sub("", line)
    if "&" in line:
        line = html.unescape(line)
    if _FENCE.match(line):
        return ""
    for prefix in (_TIMESTAMP, _QUOTE, _BULLET):
        line = prefix.sub("", line, count=1) if prefix.match(line) else line
    for _ in range(MAX_LOGS):
        if (begun := _LOG.match(line)) is None:
            break
        line = line[begun.end() :]
    if line.startswith("|") and (row := _PAIR.match(line)):
        line = f"{row.group(1)}: {row.group(2)}"
    if "**" in line:
        line = line.replace("**", "")
    stripped = line.strip()
    if len(stripped) > 2 and stripped[0] == stripped[-1] == "`" and "`" not in stripped[1:-1]:
        return stripped[1:-1]
    return line.rstrip()

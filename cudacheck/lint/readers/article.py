"""The plain text of an article, as it is copied from a page: runs of lines that look like commands or code."""

from __future__ import annotations

import dataclasses
import re

from cudacheck.lint.facts import RecipeKind
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader

_SHELL = re.compile(
    r"^\s*(?:\$ |sudo |!)?(?:pip3?|uv|conda|mamba|docker|python3?|export|poetry|wget|curl|cp|tar|vllm|nvidia-smi)"
    r" +[\w.\-\"'/]"
)
_PYTHON = re.compile(
    r"^(?:import \w|from \w[\w.]* import |[A-Za-z_][\w.]*\s*=\s*\S|[A-Za-z_][\w.]*\(|with |class |def |@|#|\)|\]|\}"
    r"|for |if |else|try|except|return)"
)
_PROSE = re.compile(r"[\u4e00-\u9fff]")


def read(text: str, context: Context) -> Found:
    """The facts of each run of lines. Prose is passed over."""
    found: Found = []
    lines = text.split("\n")
    row = 0
    while row < len(lines):
        end = _run(lines, row)
        if end is None:
            row += 1
            continue
        piece = "\n".join(lines[row:end])
        kind = RecipeKind.SHELL if _SHELL.match(lines[row]) else RecipeKind.PYTHON
        found.append(Embedded(kind, piece, dataclasses.replace(context, line=row, scope=f"lines {row + 1}")))
        row = end
    return found


def _run(lines: list[str], row: int) -> int | None:
    """Where the commands or the code that begin here end; None where prose does."""
    line = lines[row]
    if _SHELL.match(line):
        while line.rstrip().endswith("\\") and row + 1 < len(lines):
            row += 1
            line = lines[row]
        return row + 1
    if not _PYTHON.match(line) or _is_prose(line):
        return None
    end = row + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][:1] in " \t" or _PYTHON.match(lines[end])):
        if _is_prose(lines[end]):
            break
        end += 1
    return end


def _is_prose(line: str) -> bool:
    code = line.partition("#")[0]
    return bool(_PROSE.search(code)) and not re.search(r"[\"']", code)


READER = Reader(read=read, kinds=(RecipeKind.ARTICLE,))

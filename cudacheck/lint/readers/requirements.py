"""Requirements and constraints files of pip."""

from __future__ import annotations

import re

from cudacheck.lint.facts import Index, Install, Place, RecipeKind, Tool
from cudacheck.lint.readers._base import Context, Found, Reader
from cudacheck.lint.readers._commands import conda_requirement, requirement

_OTHERS = re.compile(r"darwin|win32|Windows|aarch64|arm64|python_version|python_full_version")
_INDEXES = {"-i", "--index-url", "--extra-index-url"}
_BEHIND = re.compile(r"\s(--(?:extra-)?index-url)[ =]+([^\s;]+)")
_OPTION = re.compile(r"^(--?[a-z][a-z-]*)(?:[ =]\s*)?(.*)$")


def read(text: str, context: Context) -> Found:
    """The whole list, as one install."""
    if _is_condas(text):
        return [_conda(text, context)]
    asked, indexes, unread, links = [], [], [], []
    for number, line in _logical(text):
        body = re.sub(r"(^|\s)#.*$", "", line)
        stripped = body.strip()
        if not stripped:
            continue
        column = len(body) - len(body.lstrip()) + 1
        if stripped.startswith("-"):
            option = _OPTION.match(stripped)
            name, value = (option[1], option[2].strip()) if option else ("", "")
            place = context.place(number, column, number, column + len(stripped))
            if name in _INDEXES:
                indexes.append(Index(value, place, replaces=name != "--extra-index-url"))
            elif name in {"-f", "--find-links"}:
                links.append(value)
            continue
        spec = re.split(r"\s--|;", stripped)[0].rstrip().rstrip("\\").rstrip()
        found = requirement(spec, context.place(number, column, number, column + len(spec)), dynamic="$" in spec)
        if found and not _elsewhere(stripped):
            asked.append(found)
        for option in _BEHIND.finditer(stripped):
            place = context.place(number, column + option.start(1), number, column + option.end())
            unread.append((Index(option[2], place), f"pip does not read {option[1]} on a requirement's line"))
    replacing = [index for index in indexes if index.replaces]
    unread += [(index, "a later --index-url of this file replaces it") for index in replacing[:-1]]
    return [
        Install(
            Tool.PIP,
            tuple(asked),
            Place(1 + context.line),
            tuple(index for index in indexes if index not in replacing[:-1]),
            tuple(links),
            isolated=None,
            scope="file",
            from_file=True,
            unread_indexes=tuple(unread),
        )
    ]


def _is_condas(text: str) -> bool:
    """Whether conda reads it (`conda install --file`), and not pip: a single `=` throughout, packages of its own."""
    lines = [line.partition("#")[0].strip() for line in text.split("\n")]
    pinned = [line for line in lines if re.match(r"[\w.-]+\s*=", line)]
    own = any(re.match(r"(python|pytorch|pytorch-cuda|cudatoolkit|_libgcc_mutex)\s*=", line) for line in pinned)
    return own and not any("==" in line or line.startswith("-") for line in lines)


def _conda(text: str, context: Context) -> Install:
    asked = []
    for number, line in _logical(text):
        spec = line.partition("#")[0].strip()
        column = len(line) - len(line.lstrip()) + 1
        if spec and (found := conda_requirement(spec, context.place(number, column, number, column + len(spec)))):
            asked.append(found)
    return Install(Tool.CONDA, tuple(asked), Place(1 + context.line), scope="file", from_file=True)


def _elsewhere(line: str) -> bool:
    """Asked for on another system, machine or Python only, where other builds are published."""
    return bool(_OTHERS.search(line.partition(";")[2]))


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines with what continues them joined, each with the number of its first."""
    found: list[tuple[int, str]] = []
    waiting: tuple[int, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        whole = (waiting[1] + " " + line.strip()) if waiting else line.rstrip("\r")
        first = waiting[0] if waiting else number
        if whole.endswith("\\"):
            waiting = (first, whole[:-1].rstrip())
        else:
            found.append((first, whole))
            waiting = None
    if waiting:
        found.append(waiting)
    return found


READER = Reader(read=read, kinds=(RecipeKind.REQUIREMENTS,))

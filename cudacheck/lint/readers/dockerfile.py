"""Dockerfiles: instructions with their places, stages, and the shell of RUN."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Iterator

from cudacheck.lint.facts import Image, Place, PythonVersion, RecipeKind, Setter, Stage, Variable
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader

_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")
_PAIR = re.compile(r"(?<!\w)([A-Za-z_]\w*)=(\"(?:\\.|[^\"\\])*\"|'[^']*'|(?:\\.|[^\s\\])*)")
MAX_STAGES = 200


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction; its body keeps every line, blank before the keyword's end, so that places stay right."""

    keyword: str
    body: str
    line: int


def instructions(text: str) -> Iterator[Instruction]:
    """All instructions, with continuation lines and heredocs."""
    lines = text.replace("\r", "").split("\n")
    row = 0
    while row < len(lines):
        match = re.match(r"\s*([A-Za-z]+)(?=\s|$)", lines[row])
        if not match or lines[row].lstrip().startswith("#"):
            row += 1
            continue
        start, body = row, [" " * match.end() + lines[row][match.end() :]]
        while body[-1].rstrip().endswith("\\") and row + 1 < len(lines):
            row += 1
            # Docker drops comments between continued lines.
            body.append("\\" if lines[row].lstrip().startswith("#") or not lines[row].strip() else lines[row])
        for name in _HEREDOC.findall(body[-1]) if match[1].upper() in {"RUN", "COPY", "ADD"} else ():
            while row + 1 < len(lines):
                row += 1
                body.append(lines[row])
                if lines[row].strip() == name:
                    break
        yield Instruction(match[1].upper(), "\n".join(body), start)
        row += 1


def read(text: str, context: Context) -> Found:
    """Stages first, then what each of them does."""
    found: Found = []
    stages: list[Stage] = []
    names: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for instruction in instructions(text):
        if instruction.keyword == "FROM":
            stage = _stage(instruction, arguments, names, len(stages), context)
            if stage is None or len(stages) >= MAX_STAGES:
                continue
            stages.append(stage)
            found.append(stage.image)
            if stage.image.name == "python" and (python := re.match(r"3\.\d+(?=[.-]|$)", stage.image.tag or "")):
                found.append(PythonVersion(python[0], stage.image.place, stage.scope))
            continue
        scope = stages[-1].scope if stages else ""
        found += _instruction(instruction, arguments, dataclasses.replace(context, scope=scope, building=True))
    shipped = {stages[-1].scope, *stages[-1].parents} if stages else set()
    found += [dataclasses.replace(stage, shipped=stage.scope in shipped) for stage in stages]
    return found


def _stage(
    instruction: Instruction, arguments: dict[str, str], names: dict[str, Stage], number: int, context: Context
) -> Stage | None:
    body = instruction.body.replace("\\\n", "  ")
    match = re.match(r"\s*(?:--\S+\s+)*(\S+)(?:\s+[Aa][Ss]\s+(\S+))?", body)
    if not match:
        return None
    line = instruction.line + 1
    place = context.place(line, match.start(1) + 1, line, match.end(1) + 1)
    scope = f"stage {context.line}:{number}"
    image = Image(_filled(match[1], arguments), place, scope)
    parent = names.get(match[1].lower())
    stage = Stage(
        scope,
        image,
        shipped=False,
        parents=(parent.scope, *parent.parents) if parent else (),
        base=parent.base if parent else image,
    )
    if match[2]:
        names[match[2].lower()] = stage
    names[str(number)] = stage
    return stage


def _filled(text: str, arguments: dict[str, str]) -> str:
    """Variables replaced by their defaults; one without stays."""
    for _ in range(4):
        filled = _VARIABLE.sub(lambda m: arguments.get(m[1] or m[3]) or m[2] or m[0], text)
        if filled == text or len(filled) > 1000:
            break
        text = filled
    return text[:1000]


def _instruction(instruction: Instruction, arguments: dict[str, str], context: Context) -> Found:
    if instruction.keyword in {"ARG", "ENV"}:
        setter = Setter.BUILD if instruction.keyword == "ARG" else Setter.IMAGE
        return [*_pairs(instruction, arguments, context, setter)]
    if instruction.keyword in {"RUN", "CMD", "ENTRYPOINT"}:
        building = instruction.keyword == "RUN"
        return [_run(instruction, dataclasses.replace(context, building=building), arguments)]
    return []


def _pairs(
    instruction: Instruction, arguments: dict[str, str], context: Context, setter: Setter
) -> Iterator[Variable | PythonVersion]:
    body = instruction.body.replace("\\\n", "  ")
    found = [*_PAIR.finditer(body)]
    if not found and setter is Setter.IMAGE and (legacy := re.match(r"\s*(\w+)\s+(.*\S)", body)):
        found = [legacy]
    if not found and setter is Setter.BUILD:
        return
    for match in found:
        raw = match[2]
        value = raw[1:-1] if raw[:1] in {'"', "'"} and raw[-1:] == raw[:1] else raw.replace("\\", "")
        place = _place_of(instruction, match.start(), match.end(), context)
        value = _filled(value, arguments)
        arguments[match[1]] = value
        yield Variable(match[1], value, place, setter, context.scope)


def _place_of(instruction: Instruction, start: int, end: int, context: Context) -> Place:
    """Offsets of the joined body (two blanks for each continuation) as a place."""
    before, inside = instruction.body[:start], instruction.body[start:end]
    line = instruction.line + 1 + before.count("\n")
    column = len(before.rpartition("\n")[2]) + 1
    end_line = line + inside.count("\n")
    end_column = len(inside.rpartition("\n")[2]) + (column if end_line == line else 1)
    return context.place(line, column, end_line, end_column)


def _run(instruction: Instruction, context: Context, arguments: dict[str, str]) -> Embedded:
    """The shell of RUN, CMD and ENTRYPOINT, with blanks for what is Docker's own, so that columns stay right."""
    body = re.sub(r"^(\s*)((?:--\w+(?:=\S+)?\s+)+)", lambda m: m[1] + " " * len(m[2]), instruction.body)
    exact = True
    if body.lstrip().startswith("["):
        body, exact = _joined(body), False
    elif heredoc := re.match(r"^\s*<<-?\s*[\"']?(\w+)[\"']?[^\n]*\n", body):
        body = "\n" + body[heredoc.end() :].rpartition("\n")[0]
    known = tuple((name, value) for name, value in arguments.items() if value and "$" not in value)
    line = context.line + instruction.line
    return Embedded(RecipeKind.SHELL, body, dataclasses.replace(context, line=line, exact=exact, values=known))


def _joined(body: str) -> str:
    """A list of words as the command that it is."""
    try:
        words = json.loads(body)
    except (ValueError, RecursionError):
        words = []
    return " " * (len(body) - len(body.lstrip())) + shlex.join(map(str, words if isinstance(words, list) else []))


READER = Reader(read=read, kinds=(RecipeKind.DOCKERFILE,))

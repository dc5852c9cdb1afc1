"""pyproject.toml and pixi.toml: what each dependency table asks for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from cudacheck.lint.facts import Index, Install, Place, RecipeKind, Tool
from cudacheck.lint.readers._base import Context, Found, Reader, Unread, normalised
from cudacheck.lint.readers._commands import requirement


def read(text: str, context: Context) -> Found:  # noqa: ARG001 - what every reader gets
    """The project's dependencies as one install; groups and extras one each."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return [Unread("this does not parse as TOML")]
    tool = _table(data, "tool")
    uv = _table(tool, "uv")
    indexes = tuple(_indexes(uv, tool, text))
    built = uv.get("no-build-isolation") or uv.get("no-build-isolation-package") or uv.get("extra-build-dependencies")
    found: Found = []
    for name, specs in _groups(data, tool):
        asked = tuple(filter(None, (requirement(spec, _find(text, spec)) for spec in specs if ";" not in spec)))
        if asked:
            found.append(
                Install(
                    Tool.UV,
                    asked,
                    asked[0].place,
                    indexes,
                    isolated=None if built or not uv else True,
                    scope=name,
                    from_file=True,
                )
            )
    return found


def _table(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _groups(data: dict[str, Any], tool: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    project = _table(data, "project")
    yield "project", _texts(project.get("dependencies"))
    for name, specs in [*_table(project, "optional-dependencies").items(), *_table(data, "dependency-groups").items()]:
        yield f"group {name}", _texts(specs)
    poetry = _table(tool, "poetry", "dependencies")
    yield "poetry", [*_poetry(poetry, poetry=True)]
    for table in (_table(tool, "pixi", "pypi-dependencies"), _table(data, "pypi-dependencies")):
        yield "pixi", [*_poetry(table)]
    for name, environment in _table(tool, "hatch", "envs").items():
        yield (
            f"hatch {name}",
            _texts(_table(environment).get("dependencies") if isinstance(environment, dict) else None),
        )


def _poetry(table: dict[str, Any], *, poetry: bool = False) -> Iterator[str]:
    for name, value in table.items():
        version = value.get("version") if isinstance(value, dict) else value
        exact = isinstance(version, str) and re.match(r"(==?)?\s*\d[^,*|\s]*$", version)
        if isinstance(version, str) and exact and (poetry or not version[0].isdigit()):
            yield f"{normalised(name)}=={version.lstrip('= ')}"
        elif name != "python":
            yield normalised(name)


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _indexes(uv: dict[str, Any], tool: dict[str, Any], text: str) -> Iterator[Index]:
    sources = [*uv.get("index", []), *_table(tool, "poetry").get("source", [])]
    for source in sources if isinstance(sources, list) else []:
        if isinstance(source, dict) and isinstance(source.get("url"), str):
            yield Index(source["url"], _find(text, source["url"]), replaces=False)


def _find(text: str, piece: str) -> Place:
    at = text.find(piece)
    if at < 0:
        at = max(text.find(re.split(r"[=<>!~\[ ]", piece)[0]), 0)
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return Place(line, column, line, column + len(piece))


READER = Reader(read=read, kinds=(RecipeKind.PROJECT, RecipeKind.PIXI))

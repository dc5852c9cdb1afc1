"""Markdown, by markdown-it: the fences that hold commands, Python, Dockerfiles and YAML, and a Space's front matter."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import Any

from cudacheck.lint.facts import Install, PackageSpec, Place, RecipeKind, Tool
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader

KINDS = {
    **dict.fromkeys(("bash", "sh", "shell", "console", "zsh", "shell-session", "terminal"), RecipeKind.SHELL),
    **dict.fromkeys(("cmd", "powershell", "shellscript"), RecipeKind.SHELL),
    **dict.fromkeys(("python", "py", "python3", "pycon", "ipython"), RecipeKind.PYTHON),
    **dict.fromkeys(("dockerfile", "docker", "containerfile"), RecipeKind.DOCKERFILE),
    **dict.fromkeys(("requirements", "pip-requirements", "requirements.txt"), RecipeKind.REQUIREMENTS),
    # The reader of YAML tells its kinds apart.
    **dict.fromkeys(("yaml", "yml"), RecipeKind.COMPOSE),
    "toml": RecipeKind.PROJECT,
}
# A fence without a language is read as what its first line looks like.
_LOOKS_LIKE_SHELL = re.compile(
    r"^[ \t]*(?:\$ |!|%|sudo )?(?:pip3?|uv|conda|mamba|docker|python3? -m pip|export|poetry|git|wget|curl|apt)\b",
    re.MULTILINE,
)
_LOOKS_LIKE_PYTHON = re.compile(
    r"^[ \t]*(?:import \w|from \w[\w.]* import |with torch|\w+ = \w+.*\(|os\.environ\[|model\.|def )", re.MULTILINE
)
_SDK_VERSION = re.compile(r"^sdk_version:\s*[\"']?([\w.]+)", re.MULTILINE)


@lru_cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable("inline")


def read(text: str, context: Context) -> Found:
    """The facts of every fence; each is a scope of its own."""
    found: Found = [*_space(text)]
    for token in _parser().parse(text):
        if token.type in {"fence", "code_block"} and token.map:
            start = token.map[0] + (token.type == "fence")
            language = token.info.strip().strip("{}").partition(" ")[0].partition(",")[0].lower().lstrip(".")
            found += _fence(language, token.content, start, _column(text, start, token.content), context)
    return found


def _column(text: str, line: int, content: str) -> int:
    """How far a fence in a list is moved in."""
    written = text.split("\n", line + 1)[line] if text.count("\n") >= line else ""
    first = content.partition("\n")[0]
    return max(len(written) - len(first), 0) if written.endswith(first) else 0


def _fence(language: str, content: str, line: int, column: int, context: Context) -> Found:
    kind = _kind(language, content)
    if kind is None:
        return []
    inner = dataclasses.replace(context, line=context.line + line, column=column, scope=f"fence {line}")
    return [Embedded(kind, content, inner)]


def _kind(language: str, content: str) -> RecipeKind | None:
    """What a fence holds; one without a language is what it looks like."""
    if language in KINDS:
        return KINDS[language]
    if language not in {"", "text"}:
        return None
    if _LOOKS_LIKE_SHELL.search(content):
        return RecipeKind.SHELL
    return RecipeKind.PYTHON if _LOOKS_LIKE_PYTHON.search(content) else None


def _space(text: str) -> Found:
    """The front matter of a Space (`sdk: gradio`, `sdk_version: 3.50.2`) pins Gradio."""
    head = text[:2000]
    if not head.startswith("---") or "sdk: gradio" not in head:
        return []
    match = _SDK_VERSION.search(head)
    if not match:
        return []
    line = head.count("\n", 0, match.start()) + 1
    place = Place(line, 1, line, match.end() - match.start() + 1)
    pin = PackageSpec("gradio", f"=={match[1]}", place)
    return [Install(Tool.PIP, (pin,), place, scope="space", from_file=True)]


READER = Reader(read=read, kinds=(RecipeKind.MARKDOWN,))

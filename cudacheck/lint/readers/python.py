"""Python, by `ast`: calls named by what was imported, variables, handlers, CUDA-graph captures. Nothing is run."""

from __future__ import annotations

import ast
import dataclasses
import re
import textwrap

from cudacheck.lint.facts import Place, RecipeKind
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader, Unread
from cudacheck.lint.readers._python import calls, captures, serving, variables
from cudacheck.lint.readers._python.module import Module

_WORDS = (
    *("from_pretrained", "pipeline(", "gradio", "cuda.graph(", ".past_key_values"),
    *("cudnn.enabled", "/cudnn", "libcudnn", ".cache/huggingface"),
)
_ENVIRONMENT = re.compile(
    r"environ(?:\[[^\]]{1,80}\]\s*(?::\s*\w+\s*)?(?:=(?!=)|\|=)|\s*\|=|\.setdefault\b|\.update\b)|putenv"
)
_MAGIC = re.compile(r"^([ \t]*)[!%].*$", re.MULTILINE)
_PROMPT = re.compile(r"^(>>> ?|\.\.\. ?)", re.MULTILINE)
_FACTS = (
    calls.calls,
    variables.variables,
    serving.handlers,
    captures.captures,
    serving.caches,
    calls.switches,
    calls.subprocesses,
)


def read(text: str, context: Context) -> Found:
    """The facts of a module, or of a piece of one."""
    if not _of_interest(text):
        return []
    found: Found = []
    for magic in _MAGIC.finditer(text):
        row = text.count("\n", 0, magic.start())
        found.append(Embedded(RecipeKind.SHELL, magic[0], dataclasses.replace(context, line=context.line + row)))
    text = _MAGIC.sub(lambda match: f"{match[1]}pass", text)
    if _PROMPT.match(text):
        text = "\n".join(_PROMPT.sub("", line) if _PROMPT.match(line) else "" for line in text.split("\n"))
    dedented = textwrap.dedent(text)
    first = next((line for line in text.split("\n") if line.strip()), "")
    cut = len(first) - len(next((line for line in dedented.split("\n") if line.strip()), ""))
    context = dataclasses.replace(context, column=context.column + max(cut, 0))
    try:
        tree = ast.parse(dedented)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = context.line + (getattr(error, "lineno", None) or 1)
        return [*found, Unread("this does not parse as Python 3", Place(line, 1, line, 1))]
    module = Module(tree, dedented, context)
    try:
        return [*found, *(fact for told in _FACTS for fact in told(module))]
    except RecursionError:
        return [*found, Unread("this Python is nested too deeply", Place(context.line + 1, 1, context.line + 1, 1))]


def _of_interest(text: str) -> bool:
    """Whether it has something that a fact is made of: most files have not, and are not parsed."""
    if any(word in text for word in _WORDS) or _MAGIC.search(text):
        return True
    # Most who name the environment read it alone.
    return ("environ" in text or "putenv" in text) and _ENVIRONMENT.search(text) is not None


READER = Reader(read=read, kinds=(RecipeKind.PYTHON,))

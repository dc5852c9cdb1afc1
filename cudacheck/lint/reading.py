"""What a file is, and its facts: the reader that takes it."""

from __future__ import annotations

import re
from functools import lru_cache

from cudacheck.lint.facts import Recipe, RecipeKind
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader, Unread
from cudacheck.model.declared import declared, modules_of

MAX_BYTES = 4 * 1024 * 1024
MAX_LINE = 100_000
"""Whoever writes a longer one is a program; notebooks hold pictures in theirs."""
MAX_DEPTH = 5
"""Python in a shell command in a cell of a notebook is three."""
ENDINGS = {
    ".py": RecipeKind.PYTHON,
    ".ipynb": RecipeKind.NOTEBOOK,
    ".md": RecipeKind.MARKDOWN,
    ".markdown": RecipeKind.MARKDOWN,
    ".txt": RecipeKind.ARTICLE,
    ".sbatch": RecipeKind.BATCH,
    ".slurm": RecipeKind.BATCH,
    ".sh": RecipeKind.SHELL,
    ".bash": RecipeKind.SHELL,
}
_REQUIREMENTS = re.compile(r"(requirements|constraints)[\w.-]*\.(txt|in)$")
_BEGINS = {
    "jobs": RecipeKind.WORKFLOW,
    "services": RecipeKind.COMPOSE,
    "apiVersion": RecipeKind.KUBERNETES,
    "dependencies": RecipeKind.CONDA,
}


def kind_of(name: str, text: str) -> RecipeKind | None:
    """What a file is, by its name and where that leaves it open by its beginning; None for what is no recipe."""
    base = name.rpartition("/")[2].lower()
    ending = base[base.rfind(".") :] if "." in base else ""
    if base.startswith(("dockerfile", "containerfile")) or ending in {".dockerfile", ".containerfile"}:
        return RecipeKind.DOCKERFILE
    if _REQUIREMENTS.search(base) or ("requirements/" in name and ending == ".txt"):
        return RecipeKind.REQUIREMENTS
    if base in {"pyproject.toml", "pixi.toml"}:
        return RecipeKind.PROJECT if base == "pyproject.toml" else RecipeKind.PIXI
    if ending in {".yml", ".yaml"}:
        return _yaml_kind(name, text)
    if ending in ENDINGS:
        return ENDINGS[ending]
    return RecipeKind.SHELL if re.match(r"#!.*sh\b", text) else None


def _yaml_kind(name: str, text: str) -> RecipeKind | None:
    if ".github/workflows/" in name or name.endswith(".gitlab-ci.yml"):
        return RecipeKind.WORKFLOW
    keys = re.findall(r"^(jobs|services|apiVersion|dependencies)\s*:", text, re.MULTILINE)
    return next((_BEGINS[key] for key in _BEGINS if key in keys), None)


@lru_cache
def _readers() -> dict[RecipeKind, Reader]:
    from cudacheck.lint import readers as package

    found = [declared(module, "READER", Reader) for module in modules_of(package)]
    return {kind: reader for reader in found for kind in reader.kinds}


def recipe(path: str, text: str) -> tuple[Recipe | None, list[Unread]]:
    """One file's facts; None for what is no recipe, or cannot be read."""
    kind = kind_of(path, text)
    if kind is None:
        return None, []
    if len(text) > MAX_BYTES or (kind is not RecipeKind.NOTEBOOK and _longest(text) > MAX_LINE):
        return None, [Unread("too large to be a recipe: not read")]
    context = Context(scope="script" if kind in {RecipeKind.SHELL, RecipeKind.BATCH} else "", path=path)
    try:
        found = _read(kind, text, context)
    except RecursionError:
        return None, [Unread("nested too deeply: not read")]
    facts = tuple(fact for fact in found if not isinstance(fact, Unread))
    return Recipe(path, kind, facts), [fact for fact in found if isinstance(fact, Unread)]


def _read(kind: RecipeKind, text: str, context: Context, depth: int = 0) -> Found:
    """The facts of a text and of what is embedded in it. Of a piece that does not parse nobody asked for more."""
    found: Found = []
    for fact in _readers()[kind].read(text, context):
        if not isinstance(fact, Embedded):
            found.append(fact)
        elif depth < MAX_DEPTH:
            inner = _read(fact.kind, fact.text, fact.context, depth + 1)
            found += [one for one in inner if not isinstance(one, Unread)]
    return found


def _longest(text: str) -> int:
    return max(map(len, text.split("\n")))

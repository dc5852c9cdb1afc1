"""The files that are asked about: walked to, read within bounds, and asked of git."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from cudacheck.lint.reading import MAX_BYTES, kind_of

MAX_FILES = 20_000
GIT_TIMEOUT_S = 60
SKIPPED = {
    ".git",
    ".hg",
    "node_modules",
    "__pycache__",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    "site-packages",
}
PINS = re.compile(
    r"(requirements|constraints)[\w.-]*\.(txt|in)$|^(pyproject|pixi)\.toml$|^README\.md$|^environment[\w.-]*\.ya?ml$"
)
"""Files that say what is installed."""
YAML_BEGINNINGS = "jobs:\n"
"""Stands for a YAML file that has yet to be opened: it may be any."""


class UnreadableError(ValueError):
    """Something that cannot be read; the words say why, in one line."""


def gather(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files that these name, with their text. `-` is stdin. Raises UnreadableError."""
    count = 0
    for name in paths:
        if name == "-":
            yield _stdin()
            continue
        path = Path(name)
        folder = _is_folder(path)
        for file in _walk(path) if folder else [path]:
            count += 1
            if count > MAX_FILES:
                raise UnreadableError(f"more than {MAX_FILES} files: name folders of their own")
            text = _text(file, quiet=folder)
            if text is not None:
                yield file.as_posix(), text


def _stdin() -> tuple[str, str]:
    """Read as Markdown where it has fences, as a script where it says so, else as an article."""
    text = sys.stdin.buffer.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")
    if text.startswith("#!"):
        return "<stdin>.sh", text
    return ("<stdin>.md" if re.search(r"^\s*(```|~~~)", text, re.MULTILINE) else "<stdin>.txt"), text


def _is_folder(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"cannot read {path}: {why}") from None
    return path.is_dir()


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        yield from (Path(root) / name for name in sorted(names) if _worth(name))


@lru_cache(maxsize=10_000)
def _worth(name: str) -> bool:
    begins = "#!/bin/sh" if "." not in name else YAML_BEGINNINGS
    return kind_of(name, begins) is not None


def _text(path: Path, *, quiet: bool) -> str | None:
    """A file's text, one letter more than is read of a file where it is longer; None for what a folder may hold."""
    try:
        if not path.is_file():
            if quiet:
                return None
            raise UnreadableError(f"cannot read {path}: no regular file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")
    except OSError as error:
        if quiet:
            return None
        raise UnreadableError(f"cannot read {path}: {error.strerror}") from None


def neighbours(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files beside these that pin packages: they say what an app was written for."""
    given = set(files)
    for folder in {Path(name).parent for name in given if not name.startswith("<")}:
        try:
            names = sorted(path.name for path in folder.iterdir())[:2000]
        except OSError:
            continue
        for name in names:
            path = (folder / name).as_posix()
            if PINS.search(name) and path not in given:
                text = _text(folder / name, quiet=True)
                if text:
                    yield path, text


def changed(paths: list[str], revision: str) -> list[str]:
    """The files below these paths that git says changed since a revision, new ones too. Raises UnreadableError.

    Nothing of the repository's is run: no hook, no monitor, no text converter.
    """
    if revision.startswith("-"):
        raise UnreadableError(f"{revision!r} is no revision")
    asked = ["diff", "--no-ext-diff", "--no-textconv", "--name-only", "--relative", "-z", "--diff-filter=d", revision]
    new = ["ls-files", "--others", "--exclude-standard", "-z"]
    return sorted({*_git([*asked, "--", *paths], revision), *_git([*new, "--", *paths], revision)})


def _git(arguments: list[str], revision: str) -> list[str]:
    quiet = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        answer = subprocess.run([*quiet, *arguments], capture_output=True, check=False, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        raise UnreadableError("--since needs git, which did not answer") from None
    if answer.returncode:
        first = answer.stderr.decode("utf-8", "replace").partition("\n")[0]
        raise UnreadableError(f"git does not know what changed since {revision}: {first}")
    names = [name for name in answer.stdout.decode("utf-8", "surrogateescape").split("\0") if name]
    return [name for name in names if _worth(name.rpartition("/")[2])]

"""What a ticket must not carry: home folders, user and host names, serial numbers and UUIDs.

By field and by path component, never by bare substring: under `root` a "root cause" stays one.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

_UUID = re.compile(r"\b(GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_HOME = re.compile(r"(?<![\w/])(/(?:home|Users)/)[^/\s:;'\"]+")
_WINDOWS_HOME = re.compile(r"(?i)\b([A-Z]:\\Users\\)[^\\\n;'\"]+")


def redactor(*, home: str | None = None, user: str | None = None, host: str | None = None) -> Callable[[Any], Any]:
    """A function that takes what identifies a person or a machine out of JSON-native values.

    The same UUID becomes the same placeholder wherever it stands, so that a reader can still tell GPUs apart.
    Home, user and host default to this machine's.
    """
    home = _home() if home is None else home
    user = _user() if user is None else user
    host = socket.gethostname() if host is None else host
    uuids: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        kind = match.group(1)
        return uuids.setdefault(match.group(), f"{kind}-00000000-0000-0000-0000-{len(uuids) + 1:012d}")

    def text(value: str) -> str:
        value = _UUID.sub(placeholder, value)
        if len(home) > 1:
            value = re.sub(rf"{re.escape(home)}(?=[/\\]|$|[\s:;'\"])", "~", value)
        value = _WINDOWS_HOME.sub(r"\1<user>", _HOME.sub(r"\1<user>", value))
        for name, shown in ((user, "<user>"), (host, "<host>")):
            if len(name) > 2 and name != "root":
                value = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", shown, value)
        return value

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [clean(item) for item in value]
        return value

    return clean


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # a container whose uid has no home
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose uid has no name
        return ""

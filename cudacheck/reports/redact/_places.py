"""Homes in paths, wherever they lie: what is above a home is taken out with it, what is below it stays."""

from __future__ import annotations

import itertools
import re

from cudacheck.reports.redact._names import LAYOUT, STRUCTURE, Names

MAX_WITH_BLANKS = 100
DEPTH = 12
"""Folders of a path that are looked at: no home lies deeper."""

_PART = re.compile(r"[^\\/]+")
_ROOT = re.compile(r"(?i)[a-z]{0,8}homes?\d*|homedirs?|users?|people|accounts|documents and settings")
"""A folder with a folder for every user."""
_NETWORK = frozenset(
    "gpfs lustre lus beegfs nfs cephfs ceph weka vast afs panfs efs fsx glusterfs scratch pscratch".split()
)
"""File systems of clusters: by project and by user, in an order of their own."""
_GROUPS = frozenset("users staff students student faculty guests guest hpc groups group local people".split())
_SYSTEM = frozenset("usr proc sys dev etc lib lib64 bin sbin run boot snap nix opt".split())
_NOBODYS = frozenset({"public", "shared", "all users", "default user", "root"})
_HOME_ALONE = re.compile(
    r"\.(?:local|cache|config|conda|condarc|pyenv|virtualenvs|ssh|pip|triton|nv|julia|cargo|rustup|rye|mamba|jupyter|"
    r"ipython|vscode-server|cursor-server|npm|kube|docker|aws|azure|netrc|bashrc|bash_history|zshrc|profile|gitconfig|"
    r"huggingface|keras|torch|ollama|singularity|apptainer|gnupg|wandb|linuxbrew|pixi|modular)"
)
"""What only a home holds."""
_SHARED = frozenset("root tmp app workspace workspaces content code srv opt data mnt work src project".split())
"""Folders at the top that containers use as a home: they name nobody."""


class Places:
    """The homes of one report."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._homes: set[tuple[str, ...]] = set()
        self.with_blanks: list[re.Pattern[str]] = []
        """The known homes with a blank in them, which end no path in a text."""

    def know(self, home: str) -> None:
        """Learn of a home, wherever it is; but `/`, `/root`, `/workspace` or `/opt/app` name nobody."""
        parts = tuple(_PART.findall(home))
        if len(parts) > 1 and parts[0] not in _SYSTEM and parts[0] != "var":
            self._know(parts)

    def hidden(self, path: str) -> str:
        r"""The path without the home that it starts with; a home has one placeholder however it is separated.

        >>> places = Places(Names())
        >>> places.hidden("/mnt/home/ada/venv/bin/python"), places.hidden(r"C:\Users\Ada\venv")
        ('<home-1>/venv/bin/python', '<home-2>\\venv')
        >>> places.hidden("/usr/lib/libcuda.so.1")
        '/usr/lib/libcuda.so.1'
        """
        found = list(itertools.islice(_PART.finditer(path), DEPTH))
        parts = [match.group() for match in found]
        length = self._home_length(parts)
        if not length:
            return path
        self._know(tuple(parts[:length]))
        self.names.name("user", parts[length - 1])
        return self.names.of("home", "/".join(parts[:length])) + path[found[length - 1].end() :]

    def _know(self, parts: tuple[str, ...]) -> None:
        if parts in self._homes:
            return
        self._homes.add(parts)
        if any(" " in part for part in parts) and len(self.with_blanks) < MAX_WITH_BLANKS:
            separated = r"[\\/]{1,2}".join(map(re.escape, parts))
            self.with_blanks.append(re.compile(rf"[\\/]{{0,2}}{separated}(?=[\\/]|$)"))

    def _home_length(self, parts: list[str]) -> int:
        """How many of the parts are a home: 0 where none is."""
        known = [n for n in range(1, len(parts) + 1) if tuple(parts[:n]) in self._homes]
        return (known and known[-1]) or _of_users_folder(parts) or _of_dot_folder(parts) or _of_network(parts)


def _of_users_folder(parts: list[str]) -> int:
    for index, part in enumerate(parts[:5]):
        if part in {"site-packages", "dist-packages"}:
            return 0
        is_home = "home" in part.lower()
        if (
            not (_ROOT.fullmatch(part) or (part == "u" and index == 0))
            or (parts[0] in _SYSTEM and not is_home)
            or index + 1 >= len(parts)
        ):
            continue
        at = index + 1
        if parts[at].lower() in _GROUPS and at + 1 < len(parts) and parts[at + 1] not in STRUCTURE:
            at += 1
        while at + 1 < len(parts) and _is_initial(parts[at], parts[at + 1]):
            at += 1
        return at + 1 if _may_be_a_user(parts[at], last=at + 1 == len(parts)) else 0
    return 0


def _is_initial(part: str, following: str) -> bool:
    """Users by the first letters of their names: `/home/a/ada`, `/home/a/ad/ada`."""
    return len(part) <= 2 and len(following) > len(part) and following.startswith(part) and following not in STRUCTURE


def _may_be_a_user(name: str, *, last: bool) -> bool:
    is_file = last and re.search(r"\.(?:py|so|txt|json|ya?ml|toml|log|sh|md|html?|cfg|whl)$", name)
    return name[0] not in "<.$%{*" and name.lower() not in _NOBODYS and not is_file


def _of_dot_folder(parts: list[str]) -> int:
    for index, part in enumerate(parts[:8]):
        if part[0] == "." and index and _HOME_ALONE.fullmatch(part):
            kept = parts[0] in _SYSTEM or (index == 1 and parts[0] in _SHARED) or parts[index - 1][0] in "<.$~"
            return 0 if kept else index
    return 0


def _of_network(parts: list[str]) -> int:
    if parts[:1] == [] or parts[0] not in _NETWORK:
        return 0
    length = named = 0
    for index, part in enumerate(parts[1:], 1):
        if part in LAYOUT or part[0] in "<.$" or named == 3 or (index + 1 == len(parts) and "." in part):
            break
        named += part not in STRUCTURE
        length = index + 1
    return length if named else 0

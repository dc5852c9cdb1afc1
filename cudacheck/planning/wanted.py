"""What a plan has to install: requirements as people write them, on the command line and in files."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from cudacheck.remedies.torch_choice import Machine

MAX_REQUIREMENTS = 500
PARTNERS = ("torchvision", "torchaudio")
FLASH_ATTN = "flash-attn"


class BadRequirementError(ValueError):
    """What was asked for cannot be read, or leaves nothing to choose; the words say why, in one line."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """The requirements, one a package. Without any: the newest PyTorch with its family."""

    packages: tuple[tuple[str, Requirement], ...] = ()
    """By their canonical names, in the order they were asked for."""
    left_out: tuple[str, ...] = ()
    """What the files say besides, and the plan does not follow."""

    def get(self, name: str) -> Requirement | None:
        return next((found for known, found in self.packages if known == name), None)

    @property
    def companions(self) -> tuple[str, ...]:
        """Which of torchvision and torchaudio are wanted."""
        return tuple(name for name in PARTNERS if not self.packages or self.get(name))

    @property
    def flash_attn(self) -> bool:
        return self.get(FLASH_ATTN) is not None

    @property
    def others(self) -> tuple[tuple[str, Requirement], ...]:
        """What is neither of PyTorch's family nor flash-attn."""
        own = ("torch", *PARTNERS, FLASH_ATTN)
        return tuple((name, found) for name, found in self.packages if name not in own)

    def without(self, name: str) -> Wish:
        """The same but this one; of PyTorch itself only what was asked of its version."""
        kept = [(known, found) for known, found in self.packages if known != name]
        if name == "torch" or not kept:
            kept.insert(0, ("torch", Requirement("torch")))
        return dataclasses.replace(self, packages=tuple(kept))


def family_without(name: str) -> Wish:
    """PyTorch with its family, but for this partner."""
    kept = ("torch", *(partner for partner in PARTNERS if partner != name))
    return Wish(tuple((each, Requirement(each)) for each in kept))


def wanted(lines: Iterable[str], machine: Machine, left_out: Sequence[str] = ()) -> Wish:
    """The requirements in these lines that hold on this machine. Raises BadRequirementError.

    >>> dict(wanted(["torch>=2.8", "Flash_Attn", "pywin32; sys_platform == 'win32'"], Machine()).packages).keys()
    dict_keys(['torch', 'flash-attn'])
    """
    found: dict[str, Requirement] = {}
    for line in lines:
        requirement = _requirement(line)
        if not _holds(requirement, machine):
            continue
        name = str(canonicalize_name(requirement.name))
        if requirement.url and name in ("torch", *PARTNERS):
            raise BadRequirementError(f"{name} from an address of its own leaves nothing to choose")
        found[name] = _both(found[name], requirement) if name in found else requirement
        if len(found) > MAX_REQUIREMENTS:
            raise BadRequirementError(f"these are more than {MAX_REQUIREMENTS} requirements")
    return Wish(tuple(found.items()), tuple(left_out))


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        why = " ".join(str(error).split("\n")[0].split())
        raise BadRequirementError(f"{line[:60]!r} is no requirement: {why[:120]}") from None


def _both(one: Requirement, other: Requirement) -> Requirement:
    """Two lines about one package: both count."""
    joined = Requirement(str(one))
    joined.specifier = SpecifierSet(f"{one.specifier},{other.specifier}".strip(","))
    joined.extras = one.extras | other.extras
    return joined


def _holds(requirement: Requirement, machine: Machine) -> bool:
    """Whether its marker is true there; one that asks for what is unknown counts as true."""
    marker = requirement.marker
    if marker is None:
        return True
    if machine.python is None and "python" in str(marker):
        return True
    windows = machine.os == "windows"
    environment = {
        "extra": "",
        "os_name": "nt" if windows else "posix",
        "sys_platform": "win32" if windows else "linux",
        "platform_system": "Windows" if windows else "Linux",
        "platform_machine": "AMD64" if windows else machine.machine,
    }
    if machine.python:
        environment |= {"python_version": machine.python, "python_full_version": f"{machine.python}.0"}
    try:
        return bool(marker.evaluate(environment))
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion):
        raise BadRequirementError(f"the marker of {str(requirement)[:60]!r} cannot be evaluated") from None


@dataclasses.dataclass(frozen=True)
class Read:
    """What a file asks for."""

    lines: tuple[str, ...]
    """Requirements as they stand there."""
    others: tuple[str, ...] = ()
    """Names of requirements files that it takes in (`-r more.txt`)."""
    left_out: tuple[str, ...] = ()
    """What it says besides and no plan follows: folders, addresses, indexes, groups."""


_FOLLOWED = re.compile(r"(?:-r|--requirement)[ =]?\s*(\S+)")
_PLACES = re.compile(r"(-e|--editable|-i|--index-url|--extra-index-url|-f|--find-links|--no-index)\b")
_NO_NAME = re.compile(r"[./~\\]|[A-Za-z][\w+.-]*:|[\w.-]+[/\\]|\S+\.(whl|zip|tar\.gz)$")


def read_requirements(text: str) -> Read:
    r"""A requirements file, without its hashes.

    >>> read_requirements("torch --hash=sha256:00\n./ours\n-r more.txt").left_out
    ('./ours',)
    """
    lines, others, left_out = [], [], []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        plain = re.sub(r"(^|\s)#.*$", "", line).strip()
        plain = re.sub(r"\s--(hash|config-settings|global-option)[= ]\S+", "", plain)
        if followed := _FOLLOWED.match(plain):
            others.append(followed[1])
        elif _PLACES.match(plain) or _NO_NAME.match(plain):
            left_out.append(plain)
        elif plain and not plain.startswith("-"):
            lines.append(plain)
    return Read(tuple(lines), tuple(others), tuple(left_out))


def read_pyproject(text: str) -> Read:
    """A pyproject.toml (PEP 621). Raises BadRequirementError."""
    try:
        document: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadRequirementError(f"it is no TOML: {str(error)[:120]}") from None
    listed = _at(document, "project", "dependencies")
    if listed is None and isinstance(_at(document, "tool", "poetry", "dependencies"), dict):
        raise BadRequirementError(
            "its dependencies are in poetry's own words, [tool.poetry.dependencies]: give them as requirements"
        )
    if not isinstance(listed, list) or not all(isinstance(line, str) for line in listed):
        raise BadRequirementError("it has no list of [project] dependencies")
    return Read(tuple(listed), left_out=tuple(_left_out(document)))


def _left_out(document: Any) -> Iterator[str]:
    """Groups of requirements, and where a tool is told to get PyTorch from."""
    for path in (("project", "optional-dependencies"), ("dependency-groups",)):
        if groups := _at(document, *path):
            yield f"[{'.'.join(path)}] {', '.join(map(str, groups))}"
    for tool in (("tool", "uv", "sources"), ("tool", "poetry", "dependencies")):
        if named := [name for name in ("torch", *PARTNERS) if name in (_at(document, *tool) or ())]:
            yield f"[{'.'.join(tool)}] {', '.join(named)}"


def _at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document

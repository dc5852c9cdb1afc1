"""Reads what pip says that it installed or found, and commands that install a PyTorch."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Sequence

from cudacheck.probes.patient._installed import matters, normalised
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.sources import _torch_builds
from cudacheck.sources._source import Source

COMMAND = "install command"
"""What was asked for need not be what is there: believed last, and only where all such commands agree."""

_INSTALLED = re.compile(r"\s*Successfully installed ((?:[\w.-]{1,80}-v?\d[\w.!+]{0,60} ?){1,400})\s*$")
_PACKAGE = re.compile(r"([A-Za-z][\w.-]{0,80}?)-(v?\d[\w.!+]{0,60})$")
_SATISFIED = re.compile(
    r"\s*Requirement already satisfied: ([A-Za-z][\w.-]{0,80})\S{0,200} in \S.{0,300} \((\d[\w.!+-]{0,60})\)"
)
_WHEEL = re.compile(
    r"(?<![\w.-])torch-(\d{1,2}\.\d{1,3}\.\d{1,3}(?:\+|%2B)(?:cu\d{2,3}|cpu))-cp\d{2,3}-cp\w{2,6}-\w{3,40}\.whl"
)
_COMMAND = re.compile(
    r"(?:^|[\s$;&|])(?:pip3?|uv pip|uv add|conda|mamba)(?:\.exe)? (?:-\S+ )*(?:install|create|add)?\b"
)
_ASKED = re.compile(r"(?<![\w-])(?:torch|pytorch)==?(\d{1,2}\.\d{1,3}\.\d{1,3})(?:\+(cu\d{2,3}|cpu))?(?![\w.*])")
_INDEX = re.compile(r"download\.pytorch\.org/whl/(?:nightly/)?(cu\d{2,3}|cpu)\b")
_CONDA_CUDA = re.compile(r"(?<![\w-])(?:pytorch-cuda|cudatoolkit)=(\d{1,2}\.\d)\b")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Packages that are installed, and the builds that commands and downloads ask for.

    >>> [torch] = facts(["Successfully installed click-8.1 torch-2.6.0+cu124"])
    >>> torch.version
    '2.6.0+cu124'
    >>> [asked] = facts(["$ conda install pytorch==2.1.0 pytorch-cuda=12.1 -c pytorch -c nvidia"])
    >>> asked.version, asked.cuda, asked.found_in
    ('2.1.0+cu121', '12.1', 'install command')
    """
    for line in lines:
        if match := _INSTALLED.match(line):
            for word in match.group(1).split():
                if package := _PACKAGE.match(word):
                    yield from _distribution(*package.groups())
        elif match := _SATISFIED.match(line):
            yield from _distribution(*match.groups())
        elif asked := _asked(line):
            yield _torch_builds.named(asked, COMMAND)


def _distribution(name: str, version: str) -> Iterator[Distribution]:
    if matters(normalised(name)):
        yield Distribution(normalised(name), version, build=version.partition("+")[2] or None)


def _asked(line: str) -> str | None:
    """The version with its build, as a wheel or a command names it; None where it leaves the build open."""
    if wheel := _WHEEL.search(line):
        return urllib.parse.unquote(wheel.group(1))
    asked = _ASKED.search(line) if _COMMAND.search(line) else None
    if asked is None:
        return None
    index, conda = _INDEX.search(line), _CONDA_CUDA.search(line)
    tag = asked.group(2) or (index and index.group(1)) or (conda and "cu" + conda.group(1).replace(".", ""))
    return f"{asked.group(1)}+{tag}" if tag else None


SOURCE = Source(facts=facts, trust=10)

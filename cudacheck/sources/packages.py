"""Reads lists of packages: `pip list`, `pip freeze`, `pip show`, `conda list`, and collect_env's [pip3] and [conda]."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from collections.abc import Iterator, Sequence

from cudacheck.probes.patient._installed import matters, normalised
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.sources._source import Source
from cudacheck.sources._whole import Whole

MANY = 15
"""So many lines in a row are a whole list; a handful may have been picked from one."""

_NAME, _VERSION = r"([A-Za-z0-9][A-Za-z0-9._-]{0,80})", r"(v?\d[\w.!+-]{0,80})"
_HEADER = re.compile(r"\s*Package\s+Version(?:\s+\w[\w ]*)?\s*$")
_ROW = re.compile(rf"\s*{_NAME}\s+{_VERSION}(?:\s+\S.*)?$")
_SURE_ROW = re.compile(rf"\s*{_NAME}\s{{2,}}{_VERSION}\s*$")
_FROZEN = re.compile(rf"\s*{_NAME}=={_VERSION}\s*(?:[;\\#].*)?$")
_FROM_FILE = re.compile(rf"\s*{_NAME} @ \S*[/\\]([^/\\\s]+\.whl)(?:#\S*)?$")
_ELSEWHERE = re.compile(rf"\s*(?:-e \S+|{_NAME} @ \S+|# Editable .*)$")
_TAGGED = re.compile(rf"\s*\[pip3?\] {_NAME}(?:==| \(|\s+){_VERSION}\)?")
_CONDA_HEADER = re.compile(r"\s*(?:#\s*|List of )packages in environment(?: at|:)?\s*(.*?):?\s*$")
_CONDA_COLUMNS = re.compile(r"\s*(?:#\s*)?Name\s+Version\s+Build(?:\s+Channel)?\s*$")
_CONDA_ROW = re.compile(r"\s*_?([A-Za-z0-9][\w.-]{0,80})\s+(\S{1,80})\s+(\S{1,80})(?:\s+(\S{1,120}))?\s*$")
_CONDA_TAG = re.compile(r"\s*\[conda\]\s+")
_CONDA_BUILD = re.compile(r"\S*_\d{1,4}(?:_\w+)?$|<pip>$|pypi$")
_SHOWN = re.compile(rf"\s*Name: {_NAME}\s*$")
_SHOWN_VERSION = re.compile(rf"\s*Version: {_VERSION}\s*$")


def facts(lines: Sequence[str]) -> Iterator[object]:
    """Only distributions that have to do with CUDA, as the probe does.

    >>> [found] = facts(["Flash_Attn==2.8.3", "click==8.1"])
    >>> found.name, found.version
    ('flash-attn', '2.8.3')
    """
    for reader in (_pip_list, _pip_freeze, _conda_list, _single):
        for fact in reader(lines):
            if not isinstance(fact, Distribution) or matters(fact.name):
                yield fact


def _distribution(name: str, version: str) -> Distribution:
    return Distribution(normalised(name), version, build=version.partition("+")[2] or None)


def _pip_list(lines: Sequence[str]) -> Iterator[object]:
    inside = False
    for line in lines:
        if _HEADER.match(line):
            inside = True
            yield Whole(Distribution)
        elif inside and (match := _ROW.match(line)):
            yield _distribution(*match.groups())
        elif line.strip().strip("- "):
            inside = False


def _pip_freeze(lines: Sequence[str]) -> Iterator[object]:
    run = 0
    for line in lines:
        if match := _FROZEN.match(line):
            yield _distribution(*match.groups())
        elif match := _FROM_FILE.match(line):
            # `flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl`
            parts = urllib.parse.unquote(match.group(2)).split("-")
            if len(parts) > 2 and parts[1][:1].isdigit():
                yield _distribution(match.group(1), parts[1])
        elif not _ELSEWHERE.match(line):
            run = 0
            continue
        run += 1
        if run == MANY:
            yield Whole(Distribution)


def _conda_list(lines: Sequence[str]) -> Iterator[object]:
    inside, rows, prefix = False, 0, None
    for line in lines:
        if header := _CONDA_HEADER.match(line):
            inside, rows, prefix = True, 0, header.group(1).strip('"') or None
            continue
        tagged = _CONDA_TAG.match(line)
        match = _CONDA_ROW.match(line, tagged.end() if tagged else 0)
        if not match or line.lstrip().startswith("#"):
            inside = bool(_CONDA_COLUMNS.match(line)) or (inside and not line.strip("#─- \t"))
        elif inside or tagged or _sure_conda_row(match):
            yield _conda_distribution(match, prefix)
            rows += inside
            if rows == MANY:
                yield Whole(Distribution)


def _sure_conda_row(match: re.Match[str]) -> bool:
    """Whether a line is one of conda's without the heading above it: then its columns must look the part."""
    _, version, build, _ = match.groups()
    return version[0].isdigit() and _CONDA_BUILD.match(build) is not None


def _conda_distribution(row: re.Match[str], prefix: str | None) -> Distribution:
    name, version, build, channel = row.groups()
    if channel == "pypi" or build in {"<pip>", "pypi_0", "pypi"}:
        return dataclasses.replace(_distribution(name, version), installer="pip")
    return Distribution(normalised(name), version, prefix, "conda", build)


def _single(lines: Sequence[str]) -> Iterator[Distribution]:
    """Lines that need no table around them: collect_env's, `pip list | grep torch`, `pip show torch`."""
    name = ""
    for line in lines:
        if match := _TAGGED.match(line) or _SURE_ROW.match(line):
            yield _distribution(*match.groups())
        elif match := _SHOWN.match(line):
            name = match.group(1)
            continue
        elif name and (match := _SHOWN_VERSION.match(line)):
            yield _distribution(name, match.group(1))
        name = ""


SOURCE = Source(facts=facts, trust=40)

"""Compares the tables of PyTorch's releases with what the indexes publish, and writes the difference: for maintainers.

    python tools/refresh_knowledge.py                         # asks the indexes, prints a diff of the TOML
    python tools/refresh_knowledge.py --write                 # and writes it
    python tools/refresh_knowledge.py --save samples/         # asks the indexes, keeps what they said
    python tools/refresh_knowledge.py --samples samples/      # of what was kept, without a network

The default index is asked by pip (versions by Python and platform, core metadata of each wheel), PyTorch's by the
listing page of each CUDA tag. A release that is new gets a row with its default build, Pythons and partners; a new
build gets one without architectures, `verified = false`: somebody has to open the wheel. What the tables say otherwise
than the indexes is replaced. Each row has its source and the date of the answers.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import difflib
import html
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

TABLE = Path(__file__).resolve().parents[1] / "cudacheck" / "knowledge" / "torch_builds.toml"
PACKAGES = ("torch", "torchvision", "torchaudio")
PYTHONS = tuple(f"3.{minor}" for minor in range(8, 17))
PLATFORMS = {
    "linux x86_64 2.17": ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "manylinux_2_17_x86_64"),
    "linux x86_64 2.28": ("manylinux_2_28_x86_64",),
    "linux aarch64 2.17": ("manylinux2014_aarch64", "manylinux_2_17_aarch64"),
    "linux aarch64 2.28": ("manylinux_2_28_aarch64",),
    "windows x86_64": ("win_amd64",),
}
OLDEST = Version("2.0.0")
"""Older releases no longer change."""
PYTORCH_INDEX = "https://download.pytorch.org/whl/"


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the indexes publish."""

    date: str
    packages: dict[str, dict[str, Any]]
    """By package and version: `wheels` (platform to Pythons) and `requires`."""
    wheels: frozenset[tuple[str, str, str, str]]
    """(version, tag, machine, os) on PyTorch's index."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table, new or in the place of another."""

    array: str
    line: str
    replaces: str = ""


class NoAnswerError(RuntimeError):
    """An index that could not be asked: that it says nothing is no answer."""


# What the indexes say


def ask(date: str) -> Answers:
    """Both indexes, by pip and by the listing pages."""
    packages = {name: dict(_asked(name)) for name in PACKAGES}
    tags = sorted({row["tag"] for row in _table()["tags"]})
    pages = {tag: _page(f"{PYTORCH_INDEX}{tag}/torch/") for tag in tags}
    return Answers(date, packages, frozenset(found for page in pages.values() for found in listed(page)))


def _asked(package: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not _pip("index", "versions", package, "--json").get("versions"):
        raise NoAnswerError(f"pip tells of no {package} at all: the default index cannot be reached")
    wheels: dict[str, dict[str, list[str]]] = {}
    for platform, tags in PLATFORMS.items():
        for python in PYTHONS:
            told = _pip("index", "versions", package, "--json", *_for(python, tags))
            for version in told.get("versions", ()):
                wheels.setdefault(version, {}).setdefault(platform, []).append(python)
    for version, by_platform in wheels.items():
        platform = next(iter(by_platform))
        options = ("--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-")
        with tempfile.TemporaryDirectory() as folder:
            where = (*_for(by_platform[platform][-1], PLATFORMS[platform]), "--target", f"{folder}/none")
            told = _pip("install", *options, *where, f"{package}=={version}")
        if installs := told.get("install"):
            yield version, {"wheels": by_platform, "requires": installs[0]["metadata"].get("requires_dist", [])}


def _for(python: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    platforms = (word for tag in tags for word in ("--platform", tag))
    return ("--only-binary=:all:", "--python-version", python, *platforms)


def _pip(*arguments: str) -> dict[str, Any]:
    """What pip answers; empty where there is nothing for that Python and platform. Raises NoAnswerError."""
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    if "No matching distribution" not in done.stderr:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise NoAnswerError(f"pip {arguments[0]} says: {last}")
    return {}


def _page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        text: str = answer.read().decode("utf-8", "replace")
    return text


def listed(page: str) -> Iterator[tuple[str, str, str, str]]:
    """(version, tag, machine, os) of the CUDA wheels that a listing page links to (PEP 503)."""
    for link in re.findall(r"""href=["']([^"']+)["']""", page):
        name = urllib.parse.unquote(html.unescape(link).partition("#")[0]).rpartition("/")[2]
        try:
            package, version, _, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        local = version.local or ""
        if package != "torch" or version.is_prerelease or not re.fullmatch(r"cu\d{3}", local):
            continue
        for tag in tags:
            if kind := _kind(tag.platform):
                yield (version.public, local, *kind)


def _kind(platform: str) -> tuple[str, str] | None:
    if platform == "win_amd64":
        return "x86_64", "windows"
    match = re.fullmatch(r"(?:many)?linux\w*?_(x86_64|aarch64)", platform)
    return (match[1], "linux") if match else None


def read(folder: Path) -> Answers:
    """What was kept of an earlier answer."""
    kept = json.loads((folder / "default_index.json").read_text(encoding="utf-8"))
    pages = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("whl_*.html"))]
    return Answers(kept["date"], kept["packages"], frozenset(found for page in pages for found in listed(page)))


def save(answers: Answers, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"date": answers.date, "packages": answers.packages}
    (folder / "default_index.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    links = (
        f'<a href="torch-{version}%2B{tag}-cp312-cp312-{_platform(machine, os)}.whl">torch</a>'
        for version, tag, machine, os in sorted(answers.wheels)
    )
    (folder / "whl_torch.html").write_text("\n".join(links) + "\n", encoding="utf-8")


def _platform(machine: str, os: str) -> str:
    return "win_amd64" if os == "windows" else f"manylinux_2_28_{machine}"


# What the tables say otherwise


def changes(answers: Answers, table: dict[str, Any]) -> list[Row]:
    """The rows that the table lacks, and those that it has otherwise."""
    return [*_releases(answers, table), *_partners(answers, table), *_builds(answers, table)]


def _releases(answers: Answers, table: dict[str, Any]) -> Iterator[Row]:
    known = {row["version"]: row for row in table["releases"]}
    for version in sorted(answers.packages["torch"], key=Version):
        if Version(version) < OLDEST or Version(version).local or Version(version).is_prerelease:
            continue
        published, row = _published(answers, version), known.get(version)
        if row is None:
            yield Row("releases", _line(_new_release(answers, version, published)))
        elif different := {key: value for key, value in published.items() if row[key] != value}:
            yield Row(
                "releases", _line(row | different | {"source": _source(answers)}), replaces=f'version = "{version}"'
            )


def _published(answers: Answers, version: str) -> dict[str, Any]:
    """The default build and the Pythons of a release, for Linux x86_64."""
    entry = answers.packages["torch"][version]
    pythons = {python for name, found in entry["wheels"].items() if name.startswith("linux x86_64") for python in found}
    told = {"default": _default_tag(entry["requires"]), "pythons": sorted(pythons, key=Version)}
    return {key: value for key, value in told.items() if value}


def _default_tag(requires: list[str]) -> str | None:
    for line in requires:
        match = re.match(r"(?:cuda-toolkit(?:\[[^\]]*\])?|nvidia-cuda-runtime-cu\d+) ?\(?==(\d+)\.(\d+)", line)
        if match:
            return f"cu{match[1]}{match[2]}"
    return None


def _new_release(answers: Answers, version: str, published: dict[str, Any]) -> dict[str, Any]:
    partners = {name: _partner(answers, name, version) for name in ("torchvision", "torchaudio")}
    found = {name: partner for name, partner in partners.items() if partner}
    sources = {"companions_source": _source(answers), "companions_verified": True} if found else {}
    return {"version": version, **published, "source": _source(answers), "verified": True, **found, **sources}


def _partner(answers: Answers, package: str, torch: str) -> str | None:
    """The newest that requires this very release, else the newest whose range holds it."""
    ranges = {version: _torch_of(entry["requires"]) for version, entry in answers.packages[package].items()}
    exact = [version for version, wanted in ranges.items() if wanted == f"=={torch}"]
    holding = [v for v, wanted in ranges.items() if wanted and torch in Requirement(f"torch{wanted}").specifier]
    return max(exact or holding, key=Version, default=None)


def _torch_of(requires: list[str]) -> str:
    """The PyTorch that a wheel requires: `>=2.14.0`; empty where it names none."""
    for line in requires:
        required = Requirement(re.sub(r" ?\(([^)]*)\)", r"\1", line))
        if required.name == "torch":
            return str(required.specifier)
    return ""


def _partners(answers: Answers, table: dict[str, Any]) -> Iterator[Row]:
    """Partners that fit a range of releases."""
    known = {(row["package"], version) for row in table["partners"] for version in row["versions"].split()}
    for package in ("torchvision", "torchaudio"):
        for version, entry in answers.packages[package].items():
            wanted = _torch_of(entry["requires"])
            if wanted and not wanted.startswith("==") and (package, version) not in known:
                row = {"package": package, "versions": version, "torch": wanted}
                yield Row("partners", _line(row | {"source": _source(answers), "verified": True}))


def _builds(answers: Answers, table: dict[str, Any]) -> Iterator[Row]:
    """Builds of PyTorch's index that no row tells of: what they hold, nobody has seen."""
    known = {
        (row["torch"], row["tag"], row.get("machine", "x86_64"), row.get("os", "linux")) for row in table["builds"]
    }
    for version, tag, machine, os in sorted(answers.wheels):
        minor = version.rpartition(".")[0]
        if Version(version) < OLDEST or {(minor, tag, machine, os), (version, tag, machine, os)} & known:
            continue
        apart = ({"machine": machine} if machine != "x86_64" else {}) | ({"os": os} if os != "linux" else {})
        told = {"source": f"listing of {PYTORCH_INDEX}{tag}, {answers.date}", "verified": False}
        yield Row("builds", _line({"torch": version, "tag": tag, **apart, **told, "note": "architectures not seen"}))


def _source(answers: Answers) -> str:
    return f"core metadata of the default index's wheels, {answers.date}"


def _line(row: dict[str, Any]) -> str:
    """One row as this file writes them; JSON's strings, numbers and lists are TOML's, and its true and false, too."""
    return "  { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.items()) + " },"


def edited(text: str, rows: list[Row], date: str) -> str:
    """The table's text with these rows, and the date of the answers."""
    lines = text.splitlines()
    for row in rows:
        start = lines.index(f"{row.array} = [")
        end = lines.index("]", start)
        if row.replaces:
            at = next(n for n in range(start, end) if re.search(re.escape(row.replaces) + r"(?![\d.])", lines[n]))
            lines[at] = row.line
        else:
            lines.insert(end, row.line)
    if rows:
        lines = [re.sub(r'^checked = ".*"$', f'checked = "{date}"', line) for line in lines]
    return "\n".join(lines) + "\n"


def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, help="read what was kept here, and ask nobody")
    parser.add_argument("--save", type=Path, help="keep what the indexes say in this folder")
    parser.add_argument("--write", action="store_true", help="write the table, too")
    arguments = parser.parse_args()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        answers = read(arguments.samples) if arguments.samples else ask(today)
    except (NoAnswerError, OSError) as error:
        print(f"nothing was compared: {error}", file=sys.stderr)
        return 1
    if arguments.save:
        save(answers, arguments.save)
    before = TABLE.read_text(encoding="utf-8")
    after = edited(before, changes(answers, _table()), answers.date)
    tomllib.loads(after)
    name = f"cudacheck/knowledge/{TABLE.name}"
    sys.stdout.writelines(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
    )
    if arguments.write:
        TABLE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

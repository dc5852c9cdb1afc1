"""The installed distributions that matter to CUDA, found by the names of their metadata folders alone.

importlib.metadata would open every METADATA of the environment; a folder's name says enough, in a tenth of the time.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import Callable, Iterator, NamedTuple

_FAMILIES = (
    "torch pytorch functorch triton nvidia- cuda- cudatoolkit cudnn nccl libtorch libcu libnv flash-attn flashattn "
    "flash-attention flashinfer tensorflow jax onnxruntime cupy bitsandbytes transformer-engine tensorrt"
)
_SINGLE = (
    "xformers vllm sglang sgl-kernel transformers accelerate peft gradio numpy pynvml deepspeed apex ctranslate2 "
    "faster-whisper kernels numba pip uv"
)
_MATTERS = re.compile(
    "(?:%s)|(?:%s)$" % ("|".join(map(re.escape, _FAMILIES.split())), "|".join(map(re.escape, _SINGLE.split())))
)
_HASHED_BYTES = 1 << 20
"""Files above are compared by size alone: hashing gigabytes of libraries would take seconds."""


class Installed(NamedTuple):
    """One metadata folder (or egg-info file) on sys.path."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    folder: str
    """The folder on sys.path, links resolved."""
    metadata: str

    def read(self, name: str, limit: int = 1 << 22) -> str:
        """The text of one of its metadata files; empty where there is none."""
        try:
            with open(os.path.join(self.metadata, name), "rb") as file:
                return file.read(limit).decode("utf-8", "replace")
        except OSError:
            return ""

    def headers(self) -> str:
        """What its METADATA says above the description."""
        return (self.read("METADATA") or self.read("PKG-INFO")).replace("\r\n", "\n").partition("\n\n")[0]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def matters(name: str) -> bool:
    """Whether a distribution of this (normalised) name has to do with CUDA, or installs packages."""
    return _MATTERS.match(name) is not None


@lru_cache(maxsize=None)
def path_folders() -> tuple[str, ...]:
    """The folders of sys.path in its order, links resolved, each once."""
    real = [os.path.realpath(str(entry) or os.curdir) for entry in sys.path]
    return tuple(folder for folder in dict.fromkeys(real) if os.path.isdir(folder))


@lru_cache(maxsize=None)
def installed() -> tuple[Installed, ...]:
    """Everything installed that matters, in the order of sys.path."""
    return tuple(found for folder in path_folders() for found in _in_folder(folder))


def version_of(name: str) -> str | None:
    """Of any distribution, whether it matters or not; None where there is none of this (normalised) name."""
    found = (one for folder in path_folders() for one in _in_folder(folder, name.__eq__))
    of_conda = next((package.version for package in conda_packages() if normalised(package.name) == name), None)
    return next((one.version for one in found), of_conda)


def first(name: str) -> Installed | None:
    """The distribution of this name that counts: the first on the path."""
    return next((found for found in installed() if found.name == name), None)


class CondaPackage(NamedTuple):
    """One record of conda's: `conda-meta/NAME-VERSION-BUILD.json`."""

    name: str
    version: str
    build: str
    record: str

    def depends(self) -> tuple[str, ...]:
        """What it asks for; read without the list of thousands of files that follows in the record."""
        import json

        try:
            with open(self.record, encoding="utf-8", errors="replace") as file:
                found = re.search(r'"depends": *(\[[^\]]*\])', file.read(1 << 16))
            return tuple(json.loads(found.group(1))) if found else ()
        except (OSError, ValueError):
            return ()


@lru_cache(maxsize=None)
def conda_packages() -> tuple[CondaPackage, ...]:
    """What conda (or pixi, or mamba) says it installed into this interpreter's environment."""
    folder = os.path.join(sys.prefix, "conda-meta")
    try:
        names = sorted(entry for entry in os.listdir(folder) if entry.endswith(".json"))
    except OSError:
        return ()
    split = [(*entry[: -len(".json")].rsplit("-", 2), os.path.join(folder, entry)) for entry in names]
    return tuple(CondaPackage(*parts) for parts in split if len(parts) == 4)


def _in_folder(folder: str, wanted: Callable[[str], bool] = matters) -> Iterator[Installed]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in names:
        stem, suffix = os.path.splitext(entry)
        # pip renames what it could not delete to `~orch-2.8.0.dist-info`.
        if suffix not in {".dist-info", ".egg-info"} or entry.startswith("~"):
            continue
        name, _, version = stem.partition("-")
        if wanted(normalised(name)):
            found = Installed(normalised(name), re.sub(r"-py\d.*$", "", version), folder, os.path.join(folder, entry))
            yield found if found.version else _with_version(found)


def _with_version(found: Installed) -> Installed:
    """Development installs name no version in `NAME.egg-info`."""
    stated = re.search(r"^Version: *(\S+)", found.headers(), re.MULTILINE)
    return Installed(found.name, stated.group(1) if stated else "", found.folder, found.metadata)


class RecordLine(NamedTuple):
    """A line of a RECORD: this distribution says that the file is its own."""

    owner: Installed
    digest: str
    """`sha256=…` in the URL-safe base64 of RECORD."""
    size: str


@lru_cache(maxsize=None)
def nvidia_files() -> dict[str, list[RecordLine]]:
    """Path → who of the nvidia distributions claims it."""
    claims: dict[str, list[RecordLine]] = {}
    for found in installed():
        if not found.name.startswith("nvidia-"):
            continue
        for line in found.read("RECORD").splitlines():
            path, digest, size = ([*line.rsplit(",", 2), "", ""])[:3]
            if digest:
                claims.setdefault(os.path.join(found.folder, path.strip('"')), []).append(
                    RecordLine(found, digest, size)
                )
    return claims


def owner(path: str) -> Installed | None:
    """The nvidia distribution whose file this is, None where there is none or it cannot be told.

    Where several claim it, the one whose record the file on disk fits: that one was installed last.
    """
    claims = nvidia_files().get(path, [])
    fitting = [claim.owner for claim in claims if len(claims) == 1 or _fits(path, claim)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(path: str, claim: RecordLine) -> bool:
    import base64
    import hashlib

    try:
        size = os.path.getsize(path)
        if claim.size and int(claim.size) != size:
            return False
        if size >= _HASHED_BYTES:
            return True
        with open(path, "rb") as file:
            digest = base64.urlsafe_b64encode(hashlib.sha256(file.read()).digest()).rstrip(b"=").decode()
    except (OSError, ValueError):
        return False
    return claim.digest == "sha256=" + digest

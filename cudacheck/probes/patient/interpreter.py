"""The inspected interpreter, where it imports from, and what installs packages there."""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.patient import _installed


@dataclass(frozen=True)
class Interpreter:
    version: holds.Term
    """`3.12.3`"""
    executable: holds.Path | None = None
    implementation: holds.Term | None = None
    os: holds.Term | None = None
    """`linux`, `windows` or `darwin`."""
    machine: holds.Term | None = None
    prefix: holds.Path | None = None
    base_prefix: holds.Path | None = None
    paths: tuple[holds.Path, ...] = ()
    """sys.path as the child saw it, our own folder left out."""
    pythonpath: tuple[holds.Path, ...] = ()
    user_site: holds.Path | None = None
    """The user's site-packages where it is on the path; empty when it is not."""
    installer: holds.Term | None = None
    """`pip`, `uv`, `conda`, `pixi` or `poetry`: what put packages here, and should again."""
    installer_found_in: holds.FreeText | None = None
    conda_prefix: holds.Path | None = None
    """The conda environment that this interpreter belongs to; empty when none."""
    has_pip: bool | None = None
    externally_managed: bool | None = None
    """PEP 668: the distribution forbids pip here."""
    python_headers: bool | None = None
    """Whether Python.h is installed (Triton compiles against it)."""
    compiler: holds.Path | None = None
    """The C compiler that $CC or PATH names; empty when there is none."""

    IDENTITY = Identity(aside=("executable", "prefix", "base_prefix", "paths", "installer_found_in"))


_OS_OF_PLATFORM = {"win32": "windows", "cygwin": "windows", "darwin": "darwin"}
_INSTALLERS = ("uv", "pip", "conda", "pixi", "poetry")


def collect() -> Iterator[object]:
    installer, found_in = _installer()
    yield Interpreter(
        version="%d.%d.%d" % sys.version_info[:3],
        executable=sys.executable or None,
        implementation=sys.implementation.name,
        os=_OS_OF_PLATFORM.get(sys.platform, "linux"),
        machine=_machine(),
        prefix=sys.prefix,
        base_prefix=sys.base_prefix,
        paths=tuple(str(entry) for entry in sys.path),
        pythonpath=tuple(entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry),
        user_site=_user_site(),
        installer=installer,
        installer_found_in=found_in,
        conda_prefix=sys.prefix if os.path.isdir(os.path.join(sys.prefix, "conda-meta")) else "",
        has_pip=_has_pip(),
        externally_managed=_externally_managed(),
        python_headers=_python_headers(),
        compiler=_compiler(),
    )


def _machine() -> str:
    if hasattr(os, "uname"):
        return os.uname().machine
    import platform

    return platform.machine()


def _has_pip() -> bool:
    spec = PathFinder.find_spec("pip")
    return spec is not None and spec.has_location


def _user_site() -> str:
    folder = site.getusersitepackages()
    return folder if folder in sys.path else ""


def _installer() -> tuple[str, str | None]:
    """What manages this environment, and where that shows; `pip` where nothing else says so."""
    config = os.path.join(sys.prefix, "pyvenv.cfg")
    if any(line.split("=")[0].strip() == "uv" for line in _lines(config)):
        return "uv", config
    conda_meta = os.path.join(sys.prefix, "conda-meta")
    if os.path.isdir(conda_meta):
        in_pixi = "/.pixi/envs/" in sys.prefix.replace(os.sep, "/")
        return ("pixi" if in_pixi else "conda"), conda_meta
    if "pypoetry" in sys.prefix.split(os.sep):
        return "poetry", sys.prefix
    lock = os.path.join(os.path.dirname(sys.prefix), "poetry.lock")
    if os.path.basename(sys.prefix) == ".venv" and os.path.isfile(lock):
        return "poetry", lock
    torch = _installed.first("torch")
    recorded = torch.read("INSTALLER").strip().lower().split(" ")[0] if torch else ""
    if torch and recorded in _INSTALLERS:
        return recorded, os.path.join(torch.metadata, "INSTALLER")
    return "pip", None


def _lines(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return tuple(file)
    except OSError:
        return ()


def _externally_managed() -> bool:
    """PEP 668 counts outside virtual environments only."""
    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return sys.prefix == sys.base_prefix and os.path.isfile(marker)


def _python_headers() -> bool:
    # Debian's default scheme names a folder under /usr/local where nothing is: Triton asks for posix_prefix too.
    scheme = "nt" if os.name == "nt" else "posix_prefix"
    folders = (sysconfig.get_path("include"), sysconfig.get_path("include", scheme))
    return any(os.path.isfile(os.path.join(folder, "Python.h")) for folder in folders if folder)


def _compiler() -> str:
    asked = os.environ.get("CC", "").strip()
    # `CC="ccache gcc"` is common; so the whole first, then its first word.
    commands = (asked, asked.split()[0]) if asked else ("cc", "gcc", "clang")
    return next(filter(None, map(shutil.which, commands)), "")


PROBE = Probe(
    collect,
    timeout_s=5.0,
    facts=(Interpreter,),
)

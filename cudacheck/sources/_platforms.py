"""Reads an operating system's own descriptions: `Ubuntu 22.04 (x86_64)`, `Linux-5.15…-x86_64-with-glibc2.35`."""

from __future__ import annotations

import re

from cudacheck.probes.host.system import System

_MACHINES = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "armv7l": "armv7l",
    "i686": "i686",
}
_MACHINE = re.compile(r"(?<![\w.])(x86_64|amd64|aarch64|arm64|ppc64le|riscv64|armv7l|i686)(?![\w])", re.IGNORECASE)
_LINUX = re.compile(
    r"Linux[- ](?P<kernel>\d\S{0,120}?)(?:-(?:x86_64|aarch64|ppc64le|riscv64|armv7l|i686)(?:-.*|$)|-with-.*|\s.*|$)"
)
_WINDOWS = re.compile(r"(?:Microsoft )?Windows\b", re.IGNORECASE)
_WINDOWS_BUILD = re.compile(r"\b(10\.0\.\d{4,6}|6\.\d\.\d{4})\b")
_GLIBC = re.compile(r"glibc[- ]?(\d+\.\d+)")
_WSL = re.compile(r"\bWSL ?([12])?\b")


def system(distribution: str, platform: str, python: str, libc: str, found_in: str) -> System | None:
    """
    None where nothing tells the operating system.

    >>> it = system("Ubuntu 22.04.2 LTS (x86_64)", "Linux-5.15.133.1-microsoft-standard-WSL2-x86_64-with-glibc2.35",
    ...             "3.10.12", "glibc-2.35", "")
    >>> it.os, it.distribution, it.kernel, it.machine, it.glibc, it.wsl
    ('linux', 'Ubuntu 22.04.2 LTS', '5.15.133.1-microsoft-standard-WSL2', 'x86_64', '2.35', 2)
    """
    os = _os(distribution, platform)
    if os is None:
        return None
    kernel = _kernel(os, distribution, platform)
    return System(
        os,
        kernel=kernel,
        machine=_machine(os, distribution, platform, python),
        distribution=re.sub(r"\([^()]{0,80}\)$", "", distribution).rstrip() or None,
        glibc=_glibc(libc, python),
        wsl=_wsl(os, distribution, kernel),
        jetson=True if kernel and kernel.endswith("-tegra") else None,
        found_in=found_in,
    )


def _os(distribution: str, platform: str) -> str | None:
    for text in (platform, distribution):
        if text.lower() in {"nt", "win32"}:  # os.name, sys.platform
            return "windows"
        if text.lower().startswith(("macos", "mac os", "darwin")):
            return "darwin"
        if _WINDOWS.match(text):
            return "windows"
        if text.lower().startswith("linux"):
            return "linux"
    # every other name that collect_env prints is a Linux distribution's
    return "linux" if distribution.lower() not in {"", "posix"} or "-with-glibc" in platform else None


def _kernel(os: str, distribution: str, platform: str) -> str | None:
    if os == "linux":
        match = _LINUX.match(platform)
        return match.group("kernel") if match else None
    if os == "windows":
        build = _WINDOWS_BUILD.search(platform) or _WINDOWS_BUILD.search(distribution)
        return build.group(1) if build else None
    return None


def _machine(os: str, *texts: str) -> str | None:
    """The last word counts: Debian's kernels are called `6.1.0-18-cloud-amd64` on every x86-64 machine."""
    for text in texts:
        if found := _MACHINE.findall(text.replace("-", " ")):
            machine = _MACHINES[found[-1].lower()]
            return "arm64" if os == "darwin" and machine == "aarch64" else machine
    return None


def _glibc(libc: str, python: str) -> str | None:
    """Before Python 3.8, platform.libc_ver() told what the interpreter was built for, not what is installed."""
    match, old = _GLIBC.match(libc), re.match(r"(?:2\.|3\.[0-7](?!\d))", python)
    return match.group(1) if match and not old else None


def _wsl(os: str, distribution: str, kernel: str | None) -> int | None:
    if os != "linux":
        return 0
    if said := _WSL.search(distribution):
        return int(said.group(1) or 2)
    if kernel is None:
        return None
    if "microsoft" not in kernel.lower():
        return 0
    return 1 if kernel.endswith("-Microsoft") else 2

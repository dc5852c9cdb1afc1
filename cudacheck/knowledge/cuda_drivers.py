"""Which driver a CUDA version needs, and which CUDA a driver serves."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from cudacheck.knowledge._tables import as_version, rows
from cudacheck.knowledge.architectures import covers


@lru_cache
def parse_driver(text: str) -> tuple[int, ...]:
    """`535.129.03` → (535, 129, 3); empty when the text does not start with a version."""
    match = re.match(r"\s*(\d+(?:\.\d+)*)", text)
    return as_version(match[1]) if match else ()


def driver_at_least(driver: str, minimum: str) -> bool:
    """Whether the driver is this new; parts that are not told count as the newest there is: `525` is any 525."""
    have, need = parse_driver(driver), parse_driver(minimum)
    return have >= need[: len(have)]


@lru_cache
def minimum_driver(cuda: str, os: str = "linux") -> str | None:
    """The oldest driver that runs programs built with this CUDA (minor-version compatibility); None where unknown.

    `os` is `linux` or `windows`; under WSL the driver is the one of Windows.
    """
    row = _minimum(cuda)
    return str(row["windows" if os == "windows" else "linux"]) if row else None


def minimum_driver_source(cuda: str) -> str:
    """Who says so; empty where nobody does."""
    return str(_minimum(cuda).get("source", ""))


def _minimum(cuda: str) -> dict[str, Any]:
    minima = {row["cuda"]: row for row in rows("cuda_drivers", "minimum") if row["verified"]}
    major, _, rest = cuda.partition(".")
    return minima.get(f"{major}.{rest.partition('.')[0]}") or minima.get(major) or {}


@lru_cache
def driver_serves(driver: str) -> str | None:
    """The newest CUDA that this driver's branch serves: `535.129.03` → `12.2`; None where the branch is unknown."""
    branch = branch_of(driver)
    return next((str(row["cuda"]) for row in rows("cuda_drivers", "branches") if row["branch"] == branch), None)


@lru_cache
def branch_of(driver: str) -> int | None:
    """The branch that a driver belongs to; None where it is older than all that are known, or newer.

    On Windows, drivers of one branch are numbered on until the next begins.

    >>> branch_of("580.95.05"), branch_of("582.53"), branch_of("537.13")
    (580, 580, 535)
    """
    number = parse_driver(driver)[:1]
    known = sorted(row["branch"] for row in rows("cuda_drivers", "branches"))
    # A driver long after the last branch may be of one that nobody knows.
    if not number or number[0] > known[-1] + 9:
        return None
    return max((branch for branch in known if branch <= number[0]), default=None)


@lru_cache
def last_driver_branch(capability: str) -> int | None:
    """The last driver branch that serves GPUs of this compute capability; None while new ones do."""
    row = _last_branch(capability)
    return int(row["branch"]) if row else None


def last_driver_branch_source(capability: str) -> str:
    """Who says so; empty where nobody does."""
    return str(_last_branch(capability).get("source", ""))


def _last_branch(capability: str) -> dict[str, Any]:
    ends = [row for row in rows("cuda_drivers", "last_branches") if as_version(capability) < as_version(row["below"])]
    return min(ends, key=lambda row: int(row["branch"]), default={})


def supported_branches() -> tuple[tuple[int, str], ...]:
    """Driver branches that NVIDIA maintains, each with its end of life (`2028-06`)."""
    return tuple(
        (int(row["branch"]), str(row["end_of_life"]))
        for row in rows("cuda_drivers", "branches")
        if "end_of_life" in row
    )


def toolkit_compiles(cuda: str, capability: str) -> bool:
    """Whether this CUDA toolkit can compile kernels that a GPU of this capability runs.

    Where it cannot, no PyTorch built with it covers the GPU, whatever its list of architectures.
    """
    toolkit = as_version(cuda)[:2]
    return any(
        covers([f"sm_{row['capability'].replace('.', '')}"], capability)
        and as_version(row["first"]) <= toolkit
        and not ("dropped" in row and as_version(row["dropped"]) <= toolkit)
        for row in rows("cuda_drivers", "architectures")
    )


@lru_cache
def toolkit_driver(version: str, os: str = "linux") -> str | None:
    """The driver of a toolkit's own release (`12.8.1`, or the first `12.8`), which its PTX needs; None if unknown."""
    column = "windows" if os == "windows" else "linux"
    wanted = as_version(version)
    found = [row for row in rows("cuda_drivers", "toolkits") if as_version(row["version"])[: len(wanted)] == wanted]
    oldest = min(found, key=lambda row: as_version(row["version"]), default={})
    return oldest.get(column)


@lru_cache
def first_driver(capability: str, os: str = "linux") -> str | None:
    """The driver of the first toolkit for this compute capability: no older one knows the GPU. None where unknown."""
    first = first_toolkit(capability)
    return toolkit_driver(first, os) if first else None


def first_toolkit_of(code: str) -> str | None:
    """The same of an architecture as compilers write it, `121a`; None for `90a` and for families, which came later."""
    match = re.fullmatch(r"(\d{1,2})(\d)([af]?)", code)
    if match is None or match[3] == "f" or code == "90a":
        return None
    return first_toolkit(f"{match[1]}.{match[2]}")


def dropped_by(capability: str) -> str | None:
    """The CUDA toolkit that compiles no more for this compute capability; None where all newer ones do."""
    known = rows("cuda_drivers", "architectures")
    return next((str(row["dropped"]) for row in known if row["capability"] == capability and "dropped" in row), None)


def first_toolkit(capability: str) -> str | None:
    """The first CUDA toolkit that compiles for this compute capability itself; None where unknown."""
    known = rows("cuda_drivers", "architectures")
    return next((str(row["first"]) for row in known if row["capability"] == capability), None)


def first_driver_source(capability: str) -> str:
    """Who says which toolkit is the first for it; empty where nobody does."""
    known = rows("cuda_drivers", "architectures")
    return next((str(row["source"]) for row in known if row["capability"] == capability), "")


def capabilities() -> tuple[str, ...]:
    """Every compute capability that a toolkit is known to compile for, oldest first."""
    return tuple(str(row["capability"]) for row in rows("cuda_drivers", "architectures"))

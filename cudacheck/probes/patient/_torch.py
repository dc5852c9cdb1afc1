"""The one `torch` of this child: looked for without importing it, imported once, its failure remembered."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from cudacheck.probes import Skipped

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_failures: list[BaseException] = []
"""What the one attempt raised: a second import after a failed one tells of torch's half-made state, not the cause."""


def torch_spec() -> ModuleSpec | None:
    """What `import torch` would take; None where it would take nothing, or leftover folders without a module."""
    spec = importlib.util.find_spec("torch")
    return spec if spec is not None and spec.has_location else None


def package_folder() -> str | None:
    """The folder of the PyTorch that `import torch` would take; None where that is no built PyTorch."""
    spec = torch_spec()
    locations = spec.submodule_search_locations if spec else None
    folder = next(iter(locations), None) if locations else None
    return folder if folder and os.path.isfile(os.path.join(folder, "version.py")) else None


def library(folder: str, name: str) -> str | None:
    """A library of the torch package in `folder`: in torch/lib, or where conda-forge keeps them, in PREFIX/lib."""
    for place in (os.path.join(folder, "lib"), os.path.join(sys.prefix, "lib")):
        path = os.path.join(place, name)
        if os.path.isfile(path):
            return path
    return None


def import_torch() -> Any:
    """Import torch, raising whatever that raises; Skipped where there is nothing that it would be right to run."""
    if _failures:
        raise _failures[0]
    if "torch" in sys.modules:
        return sys.modules["torch"]
    spec = torch_spec()
    if spec is None:
        raise Skipped("torch is not installed")
    if spec.submodule_search_locations is None:
        # A script of the user's: running it could do anything.
        raise Skipped("`import torch` would run %s, which is not PyTorch" % spec.origin)
    try:
        with warnings.catch_warnings(record=True):
            # Also lets no PYTHONWARNINGS=error turn NumPy's compatibility warning into a failed import.
            warnings.simplefilter("always")
            return importlib.import_module("torch")
    except BaseException as error:
        _failures.append(error)
        raise


def imported_torch() -> Any:
    """The torch module, or Skipped with the reason why there is none: for probes that need it but do not judge it."""
    try:
        return import_torch()
    except Skipped:
        raise
    except BaseException as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Skipped("`import torch` failed: %s" % first_line) from error


def cudnn_version(torch: Any) -> str | None:
    """The version of the cuDNN that torch linked to, `9.10.2`; what torch raises when it does not like it escapes."""
    ask = getattr(getattr(getattr(torch, "backends", None), "cudnn", None), "version", None)
    number = ask() if ask else None
    if not isinstance(number, int):
        return None
    # 8907 is 8.9.7; from cuDNN 9 on, 91002 is 9.10.2.
    major = 10000 if number >= 90000 else 1000
    return "%d.%d.%d" % (number // major, number % major // 100, number % 100)

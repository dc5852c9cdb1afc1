"""`import torch`, for real, in this child: it is imported once and every later probe uses it."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import Iterator

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe, Skipped
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient import _torch


@dataclass(frozen=True)
class TorchImport:
    ok: bool
    seconds: float | None = None
    version: holds.Term | None = None
    path: holds.Path | None = None
    error_type: holds.Term | None = None
    """`ImportError`, `OSError`, `SystemExit` … when it raised."""
    error: holds.FreeText | None = None
    missing_library: holds.Term | None = None
    """`libcudnn.so.8`, where the error names one."""
    found_in: holds.FreeText = "import torch"

    IDENTITY = Identity(aside=("error_type", "missing_library"), why=(("ok", "error"),))


_LONGEST_MESSAGE = 8000


def collect() -> Iterator[object]:
    started = time.perf_counter()
    try:
        torch = _torch.import_torch()
    except Skipped:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: torch's own words, whatever they are
        yield from _failed(error, time.perf_counter() - started)
        return
    version = getattr(torch, "__version__", None)
    if version is None and not hasattr(torch, "cuda"):
        missing = AttributeError("what was imported is an empty shell: the files of this PyTorch are not whole")
        yield from _failed(missing, time.perf_counter() - started)
        return
    yield TorchImport(
        ok=True,
        seconds=round(time.perf_counter() - started, 3),
        version=None if version is None else str(version),
        path=os.path.dirname(getattr(torch, "__file__", None) or "") or None,
    )


def _failed(error: BaseException, seconds: float) -> Iterator[object]:
    kind, message = type(error).__name__, str(error)[:_LONGEST_MESSAGE]
    missing = re.search(r"([^\s/:]{1,200}\.so[.\d]{0,40}): cannot open shared object file", message)
    yield TorchImport(
        ok=False,
        seconds=round(seconds, 3),
        error_type=kind,
        error=message,
        missing_library=missing.group(1) if missing else None,
    )
    yield ErrorMessage("%s: %s" % (kind, message), "import torch")


PROBE = Probe(
    collect,
    timeout_s=60.0,
    facts=(TorchImport,),
    also=(ErrorMessage,),
    after=("torch_files",),
)

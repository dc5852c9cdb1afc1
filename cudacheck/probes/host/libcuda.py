"""libcuda, the driver's compute library: the file mapped, what `cuInit` returns, the devices it sees."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cudacheck.model import holds
from cudacheck.model.identity import Identity
from cudacheck.probes import Probe
from cudacheck.probes.host._mapped import mapped_file

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


@dataclass(frozen=True)
class LibCuda:
    found: bool
    path: holds.Path | None = None
    """The file that was mapped, symbolic links resolved."""
    cuda_version: holds.Term | None = None
    """cuDriverGetVersion as `12.8`."""
    init_code: int | None = None
    """cuInit's return value (a CUresult): 0 is success."""
    init_error: holds.FreeText | None = None
    """Its name and words: `CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected`."""
    device_count: int | None = None
    load_error: holds.FreeText | None = None
    """The loader's words where the library is missing or does not load."""
    found_in: holds.FreeText = "libcuda.so.1"

    IDENTITY = Identity(why=(("init_code", "init_error"), ("found", "load_error")))


def collect() -> Iterator[object]:
    try:
        library = _load()
    except OSError as error:
        words = str(error)
        missing = sys.platform == "win32" or (LIBRARY in words and "No such file" in words)
        yield LibCuda(found=not missing, load_error=words)
        return
    path = mapped_file("libcuda.so")
    try:
        yield _ask(library, path)
    except AttributeError as error:  # a symbol is missing: not NVIDIA's library, or not a whole one
        yield LibCuda(found=True, path=path, load_error=str(error))


def _load() -> Any:
    if sys.platform == "win32":
        return ctypes.WinDLL(LIBRARY)
    return ctypes.CDLL(LIBRARY)


def _ask(library: Any, path: str | None) -> LibCuda:
    version = ctypes.c_int()
    # before cuInit, as it answers without a GPU
    version_known = library.cuDriverGetVersion(ctypes.byref(version)) == 0
    code = library.cuInit(0)
    count = ctypes.c_int()
    counted = code == 0 and library.cuDeviceGetCount(ctypes.byref(count)) == 0
    return LibCuda(
        found=True,
        path=path,
        cuda_version=f"{version.value // 1000}.{version.value % 1000 // 10}" if version_known else None,
        init_code=code,
        init_error=_words(library, code) if code else None,
        device_count=count.value if counted else None,
    )


def _words(library: Any, code: int) -> str:
    """A CUresult's name and description; the code alone where this library is older than it."""
    found = []
    for function in (library.cuGetErrorName, library.cuGetErrorString):
        text = ctypes.c_char_p()
        if function(code, ctypes.byref(text)) == 0 and text.value:
            found.append(text.value.decode("utf-8", "replace"))
    return ": ".join(found) or f"error {code}"


PROBE = Probe(
    collect,
    timeout_s=20.0,
    facts=(LibCuda,),
)

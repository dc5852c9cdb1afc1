"""The NVIDIA driver's library is here, in a folder where the loader does not look.

## What it does
Compares what the loader finds with the folders where container platforms, WSL, Jetson and NixOS put the driver's
libraries, and hears a library that asks for `libcuda.so` in vain.

## Why it matters
GKE and others mount the driver at /usr/local/nvidia; an image that sets LD_LIBRARY_PATH anew, or has no entry for that
folder, then has a GPU and no driver. In WSL the same happens where /usr/lib/wsl/lib was taken off the path.

## What to do
Put the folder on LD_LIBRARY_PATH, in front of what is there; in an image of your own, with ENV.

## References
- https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
- https://github.com/pytorch/pytorch/issues/85773
- https://github.com/microsoft/WSL/issues/8587
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.driver_files import DriverLibrary
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _libraries, _machine


def check(libraries: tuple[DriverLibrary, ...], facts: Facts) -> Iterator[Finding]:
    missed = _driver.off_path(facts)
    if missed and not _driver.answers(facts):
        names = " and ".join(dict.fromkeys(library.soname for library in missed))
        folder = posixpath.dirname(missed[0].path)
        yield Finding(
            f"{names} lies in {folder}, where the loader does not look",
            tuple(Evidence(f"not found: {library.soname}", library.path) for library in missed),
            (_libraries.on_the_path(facts, missed[0].path),),
        )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    folder = "/usr/lib/wsl/lib" if _machine.wsl(facts.one(System)) else None
    where = f"put {folder}" if folder else "put the folder of libcuda.so, or of a link with that name to libcuda.so.1,"
    yield Finding(
        f"{match['library']} finds no libcuda.so on the loader's path",
        (),
        (Remedy(f"{where} on LD_LIBRARY_PATH, in front of what is there"),),
    )


GKE = DriverLibrary(
    "libcuda.so.1",
    "/usr/local/nvidia/lib64/libcuda.so.1",
    "/usr/local/nvidia/lib64/libcuda.so.535.183.01",
    "535.183.01",
    "directory",
)
NOT_FOUND = LibCuda(found=False, load_error="libcuda.so.1: cannot open shared object file: No such file or directory")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.CONTAINER,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_DRIVER,),
    check=check,
    heard=heard,
    fires={
        "a pod of GKE": (
            System(os="linux", container="kubernetes", wsl=0, jetson=False),
            EnvironmentVariables({"LD_LIBRARY_PATH": "/opt/conda/lib"}),
            GKE,
            NOT_FOUND,
            Nvml(library_found=False, init_code=12),
        ),
        "cuDNN asks for it in vain": (
            ErrorMessage(
                "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file: "
                "No such file or directory",
                "paste",
            ),
        ),
        "the same in WSL": (
            System(os="linux", wsl=2),
            ErrorMessage(
                "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file: "
                "No such file or directory",
                "paste",
            ),
        ),
    },
    quiet={
        "the loader finds it": (GKE, LibCuda(found=True, path=GKE.real_path, init_code=0, device_count=1)),
        "another one is on the path": (
            GKE,
            DriverLibrary("libcuda.so.1", "/usr/lib/libcuda.so.1", "/usr/lib/libcuda.so.535", "535", "ld.so.cache"),
            NOT_FOUND,
        ),
        "cuda-compat of an image": (
            DriverLibrary(
                "libcuda.so.1",
                "/usr/local/cuda/compat/libcuda.so.1",
                "/usr/local/cuda/compat/libcuda.so.575",
                "575",
                "directory",
            ),
            NOT_FOUND,
        ),
    },
)

"""The libcuda that gets loaded is a toolkit's stub, not the driver's library.

## What it does
Reads which libcuda was mapped and what its cuInit returns: 34 is the stub's own answer.

## Why it matters
Toolkits bring an empty libcuda in `lib64/stubs`, only to link against on machines without a driver. With that folder
on LD_LIBRARY_PATH at run time it hides the real one, and no CUDA call works.

## What to do
Take the `stubs` folder out of LD_LIBRARY_PATH, and never copy or link its libcuda.so.1 into a system folder. To link,
name the folder to the compiler instead (`-L…/lib64/stubs`).

## References
- https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.host.libcuda import LibCuda
from cudacheck.probes.messages import ErrorMessage
from cudacheck.rules import _driver, _machine


def check(libcuda: LibCuda, facts: Facts) -> Iterator[Finding]:
    mapped_stub = _machine.is_stub(libcuda.path) and libcuda.init_code != 0
    if _driver.computes(facts) or not (mapped_stub or libcuda.init_code == 34):
        return
    seen = Evidence(f"{libcuda.path or 'libcuda.so.1'}, cuInit {libcuda.init_code}", libcuda.found_in)
    message = "a CUDA toolkit's stub of libcuda is loaded instead of the driver's library"
    yield Finding(message, (seen,), _remedies(facts, libcuda))


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    message = "a CUDA toolkit's stub of libcuda is loaded instead of the driver's library"
    yield Finding(message, (), _remedies(facts, facts.one(LibCuda)))


def _remedies(facts: Facts, libcuda: LibCuda | None) -> tuple[Remedy, ...]:
    folders = [*filter(None, re.split("[:;]", _machine.variable(facts, "LD_LIBRARY_PATH") or ""))]
    kept = [folder for folder in folders if "stubs" not in folder.split("/")]
    if len(kept) < len(folders):
        if kept:
            return (remedies.set_variable(facts, "LD_LIBRARY_PATH", ":".join(kept)),)
        return (remedies.unset_variable(facts, "LD_LIBRARY_PATH"),)
    where = f": {libcuda.path}" if libcuda is not None and libcuda.path else ""
    return (Remedy(f"take the stub out of the loader's way, LD_LIBRARY_PATH or a copy in a system folder{where}"),)


STUB = "/usr/local/cuda-12.8/targets/x86_64-linux/lib/stubs/libcuda.so"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBCUDA,
    fix_by=FixBy.CONTAINER,
    joins=(Family.NO_CUDA,),
    explained_by=(
        "no-gpu",
        "container-without-gpu",
        "driver-missing",
    ),
    check=check,
    heard=heard,
    messages=(
        r"CUDA driver is a stub library|CUDA_ERROR_STUB_LIBRARY|cudaErrorStubLibrary",
        _driver.numbered(34),
    ),
    asks=(_driver.in_pytorchs_words("34: CUDA driver is a stub library"),),
    fires={
        "the stubs folder on LD_LIBRARY_PATH": (LibCuda(found=True, path=STUB, init_code=34),),
        "CUDA says so": (ErrorMessage("RuntimeError: CUDA error 34: CUDA driver is a stub library", "ticket.txt"),),
        "a stub in front of other folders on LD_LIBRARY_PATH": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64/stubs:/opt/lib:"}),
            LibCuda(found=True, path=STUB, init_code=34),
        ),
        "a stub alone on LD_LIBRARY_PATH": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64/stubs"}),
            LibCuda(found=True, path=STUB, init_code=34),
        ),
        "LD_LIBRARY_PATH leads to a folder that only sounds like it": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/opt/stubs-of-ours"}),
            LibCuda(found=True, path=STUB, init_code=34),
        ),
        "a copy of the stub in a system folder": (LibCuda(found=True, path="/usr/lib/libcuda.so.1", init_code=34),),
        "a stub that gives another code": (LibCuda(found=True, path=STUB, init_code=999),),
        "a program names the number alone": (ErrorMessage("cuda driver library init failure: 34", "log"),),
    },
    quiet={
        "the driver's own": (
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05", init_code=0, device_count=1),
        ),
        "no libcuda": (LibCuda(found=False),),
        "a stub's path, and cuInit works": (LibCuda(found=True, path=STUB, init_code=0),),
        "another code of the driver's own": (
            LibCuda(found=True, path="/usr/lib/x86_64-linux-gnu/libcuda.so.1", init_code=100),
        ),
    },
)

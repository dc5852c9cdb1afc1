"""An environment variable names a file or folder that does not exist.

## What it does
Looks for what `CUDA_HOME`, `CUDA_PATH`, `CUDNN_HOME`, `CUDNN_PATH`, `CC`, `CXX`, `CUDACXX`, `CUDAHOSTCXX`,
`TRITON_PTXAS_PATH`, `TRITON_LIBCUDA_PATH` and `LD_PRELOAD` name. Where it is not there, it warns of those that programs
follow without looking further, and notes the others. Folders of search paths (`LD_LIBRARY_PATH`, `PYTHONPATH`) may be
missing: the next one is searched.

## Why it matters
`torch.utils.cpp_extension`, DeepSpeed, FlashInfer and others take their compiler and headers from `CUDA_HOME`, and
fail there though a toolkit lies elsewhere. `torch.compile` calls `CC`. The loader complains about `LD_PRELOAD` in every
process, and goes on without the library.

## What to do
Unset the variable, or let it name what is there: it is often left over from a toolkit that was removed, or was copied
from another machine.

## References
- https://docs.pytorch.org/docs/stable/cpp_extension.html
- https://man7.org/linux/man-pages/man8/ld.so.8.html
- https://github.com/triton-lang/triton#tips-for-hacking
"""

from __future__ import annotations

from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.host.named_paths import NamedPath
from cudacheck.probes.host.toolkits import CudaToolkit
from cudacheck.probes.patient.torch_files import TorchBuild

FOLLOWED = ("CUDA_HOME", "CUDA_PATH", "CC", "CXX", "LD_PRELOAD")
"""What programs take as it is; of the others they look further, or few use them."""


def check(
    named: tuple[NamedPath, ...] | None,
    build: TorchBuild | None,
    toolkits: tuple[CudaToolkit, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    missing = [path for path in named or () if not path.exists]
    if build is None or build.cuda is None or not missing:
        return
    missing.sort(key=lambda path: path.variable not in FOLLOWED)
    first, *others = missing
    more = f" ({', '.join(path.variable for path in others)} too)" if others else ""
    yield Finding(
        f"{first.variable} names {first.path[:200]}, which does not exist{more}",
        tuple(Evidence(f"{path.variable}={path.path}", path.found_in) for path in missing),
        tuple(_remedies([path.variable for path in missing], toolkits or (), facts)),
        severity=None if first.variable in FOLLOWED else Severity.NOTE,
    )


def _remedies(names: list[str], toolkits: tuple[CudaToolkit, ...], facts: Facts) -> Iterator[Remedy]:
    for name in dict.fromkeys(names):
        yield remedies.unset_variable(facts, name)
    here = next((toolkit.path for toolkit in toolkits if toolkit.nvcc), None)
    if here and {"CUDA_HOME", "CUDA_PATH"} & {*names}:
        yield Remedy(f"let it name the toolkit that is there: {here}")


CU128 = TorchBuild("2.8.0+cu128", cuda="12.8")


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.EXTENSIONS,
    fix_by=FixBy.PROGRAM,
    check=check,
    fires={
        "a toolkit that was removed": (CU128, NamedPath("CUDA_HOME", "/usr/local/cuda-11.7", exists=False)),
        "a compiler of another machine": (CU128, NamedPath("CC", "/opt/gcc-9/bin/gcc", exists=False)),
        "one that few programs read": (CU128, NamedPath("CUDNN_PATH", "/usr/local/cudnn", exists=False)),
    },
    quiet={
        "it is there": (CU128, NamedPath("CUDA_HOME", "/usr/local/cuda", exists=True)),
        "a CPU build": (TorchBuild("2.8.0+cpu", cuda=None), NamedPath("CUDA_HOME", "/nowhere", exists=False)),
    },
)

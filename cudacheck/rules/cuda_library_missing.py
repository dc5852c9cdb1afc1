"""A library of the CUDA toolkit that PyTorch or another package asks for cannot be found.

## What it does
Reports the library that `import torch` or another program asked for in vain, and whether it is of the CUDA major that
PyTorch brings along.

## Why it matters
The import fails. Where the library is of PyTorch's own major, one of its NVIDIA wheels is gone or was never
installed (`--no-deps`, a lock file of poetry). Where it is of another major, the package that asks was built for
another CUDA: installing that toolkit into the system does not make the two fit.

## What to do
Put PyTorch's wheels back; or install the asking package in its build for PyTorch's CUDA.

## References
- https://github.com/SYSTRAN/faster-whisper/issues/1431
- https://github.com/pytorch/pytorch/issues/104259
- https://github.com/Dao-AILab/flash-attention/issues/208
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.cuda_libraries import MissingLibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _libraries, _messages, _torch


def check(
    imported: TorchImport | None,
    missing: tuple[MissingLibraryFile, ...] | None,
    runs: tuple[ProbeRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    if imported and not imported.ok and re.fullmatch(_libraries.CUDA_LIBRARY, imported.missing_library or ""):
        told = Evidence(_torch.one_line(imported.error or ""), imported.found_in)
        yield _finding(imported.missing_library or "", told, facts, by_torch=True)
    ended = {run.outcome for run in runs or () if run.probe == "torch_import" and not run.cut_short}
    died = bool(ended - {Outcome.OK, Outcome.SKIPPED})
    for library in missing or ():
        # What torch wants but does not need is no fault: only an import that failed or died convicts.
        if re.fullmatch(_libraries.CUDA_LIBRARY, library.soname) and (died or (imported and not imported.ok)):
            told = Evidence(f"{library.soname} is nowhere", f"asked for by {library.wanted_by}")
            yield _finding(library.soname, told, facts, by_torch=True)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    row, library = knowledge.message_of(match), _messages.named(match, "library", "a library of CUDA")
    if match[0].startswith(("Could not load dynamic library", "Cannot dlopen")):
        yield from _left_unused(library, facts)
        return
    if row is not None and row.program == "Numba":
        parts = "install what Numba compiles with: cuda-nvcc and cuda-nvrtc of conda-forge, or the CUDA toolkit"
        yield Finding(f"{library} cannot be found", (), (Remedy(parts),))
        return
    if "libcudnn" not in library:
        by_torch = "not found in the system path" in match[0]
        yield _finding(library, _messages.quote(match, said), facts, by_torch=by_torch)


def _left_unused(library: str, facts: Facts) -> Iterator[Finding]:
    """TensorFlow looks for each library by itself; beside a PyTorch, which brings its own, that is noise."""
    if facts.is_answered(TorchBuild) or any(d.name == "torch" for d in facts.all(Distribution)):
        return
    needed = Remedy(
        "install the CUDA that this TensorFlow was built for (https://www.tensorflow.org/install/source#gpu), or lead "
        "LD_LIBRARY_PATH to a folder that has the library"
    )
    message = f"the GPU stays unused: TensorFlow cannot load {library}"
    yield Finding(message, (), (needed,), severity=Severity.WARNING)


def _finding(library: str, evidence: Evidence, facts: Facts, *, by_torch: bool = False) -> Finding:
    build = facts.one(TorchBuild)
    wanted, own = _major(library), _torch.cuda_major(build)
    message = f"{library} cannot be found"
    if wanted and own and wanted != own and not by_torch:
        message += f": it belongs to CUDA {wanted}, but {_torch.spoken(build)} brings CUDA {own}"
    told = (evidence, _torch.build_evidence(build)) if build else (evidence,)
    return Finding(message, told, tuple(_remedies(library, wanted, own, facts, by_torch=by_torch)))


def _major(library: str) -> int | None:
    """The CUDA major that a library belongs to, where its name counts with CUDA's majors."""
    found = re.match(r"(?:lib)?(?:cudart|cublas|cublasLt|nvrtc|nvJitLink)(?:\.so\.|64_)(\d\d)", library)
    return int(found[1]) if found else None


def _remedies(library: str, wanted: int | None, own: int | None, facts: Facts, *, by_torch: bool) -> Iterator[Remedy]:
    pin = _libraries.pinned(facts, library)
    if by_torch and pin:
        yield remedies.reinstall_wheels(facts, [pin])
    elif by_torch:
        yield from _torch.right_build(facts, "install PyTorch again together with the NVIDIA wheels that it requires")
    elif wanted and own and wanted != own:
        yield Remedy(f"install the package that asks for it in its build for CUDA {own}, the one that PyTorch brings")
    else:
        yield Remedy(
            f"find out which package asks for {library}: import torch before it, or lead LD_LIBRARY_PATH to a folder "
            "that has the library"
        )


GONE = "libcublas.so.12: cannot open shared object file: No such file or directory"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=(
        "torch-shadowed",
        "nvidia-wheels-conflict",
        "flash-attn-abi-mismatch",
    ),
    check=check,
    heard=heard,
    messages=(
        # TensorFlow's warnings say `dlerror:` in front of it, and go on without the library.
        rf"(?<!dlerror: )\b({_libraries.CUDA_LIBRARY}): cannot open shared object file",
        r"Library (lib\w+\.so[.\d]*|\w+64_\d+\.dll) is not found or cannot be loaded",
        # torch.__init__._preload_cuda_deps
        r"ValueError: (lib(?!cudnn)[\w-]+\.so)\.\*\[0-9\](?:\*)? not found in the system path",
        r"Unable to load any (libcudart\.so)\.\* library",
        rf"Could not load dynamic library ['\"`]?({_libraries.CUDA_LIBRARY}|(?:cu(?!dnn)|nv)\w+64_\d+\.dll)",
        r"Could not (?:locate|load library) ((?:cublas|cublasLt|cudart|cufft|curand|cusparse|cusolver|nvrtc)64_\w+\.dll)",
    ),
    fires={
        "Numba lacks a file that is no library": (
            ErrorMessage("Missing libdevice file.\nPlease ensure you have a CUDA Toolkit", "x"),
        ),
        "TensorFlow goes on without it": (
            ErrorMessage(
                "W tensorflow/stream_executor/platform/default/dso_loader.cc:55] Could not load dynamic library "
                "'libcudart.so.10.0'; dlerror: libcudart.so.10.0: cannot open shared object file: No such file or directory",
                "paste",
            ),
        ),
        "TensorFlow on Windows": (
            ErrorMessage(
                "Could not load dynamic library 'cudart64_110.dll'; dlerror: cudart64_110.dll not found", "paste"
            ),
        ),
        "JAX lacks one": (ErrorMessage("RuntimeError: Unable to load cuSPARSE. Is it installed?", "paste"),),
        "a wheel of PyTorch is gone": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchImport(False, error_type="ImportError", error=GONE, missing_library="libcublas.so.12"),
        ),
        "ctranslate2 for CUDA 12 beside CUDA 13": (
            TorchBuild("2.11.0+cu130", cuda="13.0"),
            ErrorMessage("RuntimeError: Library libcublas.so.12 is not found or cannot be loaded", "paste"),
        ),
        "PyTorch finds no wheel that has it": (
            ErrorMessage(
                "ValueError: libcublas.so.*[0-9] not found in the system path ['/usr/lib/python3.10']", "paste"
            ),
        ),
        "an extension that wants the runtime of CUDA 11": (
            ErrorMessage(
                "ImportError: libcudart.so.11.0: cannot open shared object file: No such file or directory", "paste"
            ),
        ),
        "the import died, and a library is nowhere": (
            MissingLibraryFile("libcudart.so.12", "/env/torch/lib/libtorch_cuda.so"),
            ProbeRun("torch_import", "patient", Outcome.CRASHED, 1.0, "SIGSEGV"),
        ),
        "TensorFlow goes on without the GPU": (
            ErrorMessage(
                "Cannot dlopen some GPU libraries. Please make sure the missing libraries mentioned above are installed "
                "properly if you would like to use GPU.",
                "paste",
            ),
        ),
    },
    quiet={
        "the run's own time was over": (
            MissingLibraryFile("libcudart.so.12", "/env/torch/lib/libtorch_cuda.so"),
            ProbeRun("torch_import", "patient", Outcome.TIMED_OUT, 8.0, "the whole run's limit of 8 s", cut_short=True),
        ),
        "torch imports: what is missing is not needed": (
            TorchImport(True),
            MissingLibraryFile("libnvshmem_host.so.3", "/env/torch/lib/libtorch_nvshmem.so"),
        ),
        "TensorFlow goes on without it, and PyTorch is what matters": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage(
                "Could not load dynamic library 'libcudart.so.11.0'; "
                "dlerror: libcudart.so.11.0: cannot open shared object file",
                "paste",
            ),
        ),
        "cuDNN has a rule of its own": (ErrorMessage("libcudnn.so.9: cannot open shared object file", "paste"),),
        "another probe died": (
            MissingLibraryFile("libcudart.so.12", "/env/torch/lib/libtorch_cuda.so"),
            ProbeRun("torch_import", "patient", Outcome.OK, 1.0),
            ProbeRun("flash_attn", "patient", Outcome.CRASHED, 1.0, "SIGSEGV"),
        ),
        "TensorFlow does, and PyTorch brings its own": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            ErrorMessage(
                "Cannot dlopen some GPU libraries. Please make sure the missing libraries mentioned above are installed "
                "properly if you would like to use GPU.",
                "paste",
            ),
        ),
    },
)

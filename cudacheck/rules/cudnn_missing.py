"""A cuDNN library that a program asks for cannot be found.

## What it does
Reports a `libcudnn*.so.N` that `import torch` or another library asked for in vain, says who needs which major
version, and whether this PyTorch is one of them: releases up to 2.3 load cuDNN 8, from 2.4 on cuDNN 9.

## Why it matters
The program stops with an ImportError, or aborts at its first convolution. The two majors do not replace each other:
copying `libcudnn.so.8` into /usr/local/cuda serves no PyTorch of 2.4 or newer.

## What to do
Where PyTorch's own cuDNN is missing: install the wheel that it pins again. Where another library asks for the other
major: upgrade that library to its release for this major (ctranslate2 from 4.5 on uses cuDNN 9). Where that
library looks for a file that only the wheel has: put the wheel's folder on LD_LIBRARY_PATH.

## References
- https://github.com/SYSTRAN/faster-whisper/issues/516
- https://github.com/pytorch/pytorch/issues/104591
- https://github.com/pytorch/pytorch/issues/165812
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile, MissingLibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _libraries, _messages, _torch


def check(
    imported: TorchImport | None, missing: tuple[MissingLibraryFile, ...] | None, facts: Facts
) -> Iterator[Finding]:
    if imported and not imported.ok and (imported.missing_library or "").startswith("libcudnn"):
        found = Evidence(_torch.one_line(imported.error or ""), imported.found_in)
        yield _finding(imported.missing_library or "", found, facts)
    for library in missing or ():
        # torch did import: then whatever it needs of this is there.
        if re.fullmatch(r"libcudnn\.so\.\d+", library.soname) and not (imported and imported.ok):
            yield _finding(
                library.soname, Evidence(f"{library.soname} is nowhere", f"asked for by {library.wanted_by}"), facts
            )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if said.text[: match.start()].endswith("dlerror: ") and _knows_torch(facts):
        return  # TensorFlow's warning, and PyTorch brings its own
    yield _finding(_messages.named(match, "library", "cuDNN"), _messages.quote(match, said), facts)


def _knows_torch(facts: Facts) -> bool:
    return facts.is_answered(TorchBuild) or any(d.name == "torch" for d in facts.all(Distribution))


def _finding(library: str, evidence: Evidence, facts: Facts) -> Finding:
    build = facts.one(TorchBuild)
    wanted = _major(library)
    own = knowledge.cudnn_major_of(build.version) if build and build.version and build.cuda else None
    if wanted is None or own is None:
        message = f"{library} cannot be found"
    elif wanted == own:
        message = f"{library} cannot be found, and {_torch.spoken(build)} needs cuDNN {own}"
    else:
        message = f"another library asks for cuDNN {wanted} ({library}), but {_torch.spoken(build)} brings cuDNN {own}"
    evidences = (evidence, _torch.build_evidence(build)) if build and own else (evidence,)
    return Finding(message, evidences, tuple(_remedies(wanted, own, facts)))


def _major(library: str) -> int | None:
    found = re.search(r"\.so\.(\d+)|64_(\d+)\.dll", library)
    return int(found[1] or found[2]) if found else None


def _remedies(wanted: int | None, own: int | None, facts: Facts) -> Iterator[Remedy]:
    """The file is there but out of sight, or PyTorch's own is gone, or another library wants the other major."""
    wheel = next(
        (f for f in facts.all(LibraryFile) if f.soname == f"libcudnn.so.{wanted}" and f.found_via == "wheel"), None
    )
    if wheel:
        yield _libraries.on_the_path(facts, wheel.path)
    elif wanted is not None and wanted == own:
        pin = _libraries.pinned(facts, "cudnn")
        yield remedies.reinstall_wheels(facts, [pin]) if pin else remedies.reinstall_torch(facts)
    elif wanted == 8 and any(d.name == "ctranslate2" for d in facts.all(Distribution)):
        yield remedies.install(facts, ["ctranslate2>=4.5"], title="upgrade ctranslate2 to its releases for cuDNN 9")
    else:
        needed = f"cuDNN {wanted}" if wanted else "cuDNN"
        yield Remedy(
            f"find the library that asks for {needed}, and install its release for the cuDNN that PyTorch brings "
            "(ctranslate2 and faster-whisper: ctranslate2 4.5 or newer for cuDNN 9)"
        )


GONE = "libcudnn.so.9: cannot open shared object file: No such file or directory"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=("nvidia-wheels-conflict",),
    check=check,
    heard=heard,
    messages=(
        r"(libcudnn\w*\.so(?:\.\d+)*): cannot open shared object file",
        r"ValueError: (libcudnn\.so)\.\*\[0-9\](?:\*)? not found in the system path",
        r"Unable to load any of \{(libcudnn\w*\.so(?:\.\d+)*)",
        r"Could not locate (cudnn\w*64_\d+\.dll)",
        r"Could not load library (cudnn\w*64_\d+\.dll)\. Error code 126\b",
    ),
    fires={
        "JAX lacks it": (ErrorMessage("RuntimeError: Unable to load cuDNN. Is it installed?", "paste"),),
        "torch's own cuDNN wheel is gone": (
            TorchBuild("2.8.0+cu128", cuda="12.8", cudnn_pin="nvidia-cudnn-cu12==9.10.2.21"),
            TorchImport(False, error_type="ImportError", error=GONE, missing_library="libcudnn.so.9"),
        ),
        "ctranslate2 4.4 asks for cuDNN 8": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("ctranslate2", "4.4.0"),
            ErrorMessage(
                "Could not load library libcudnn_ops_infer.so.8. Error: libcudnn_ops_infer.so.8: cannot open shared object "
                "file: No such file or directory",
                "paste",
            ),
        ),
        "TensorFlow lacks it": (
            ErrorMessage(
                "Could not load dynamic library 'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file",
                "paste",
            ),
        ),
        "a part of cuDNN 9 that only the wheel has": (
            ErrorMessage(
                "Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so.9.1, libcudnn_ops.so}", "paste"
            ),
        ),
        "the wheel is there, out of the loader's sight": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            LibraryFile("libcudnn.so.9", "/usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0", "9.1.0", "ld.so.cache"),
            LibraryFile("libcudnn_ops.so.9", "/env/nvidia/cudnn/lib/libcudnn_ops.so.9", "9.10.2.21", "wheel"),
            LibraryFile("libcudnn.so.9", "/env/nvidia/cudnn/lib/libcudnn.so.9", "9.10.2.21", "wheel"),
            TorchImport(False, error_type="ImportError", error=GONE, missing_library="libcudnn.so.9"),
        ),
        "torch was not imported, and cuDNN is nowhere": (
            MissingLibraryFile("libcudnn.so.9", "/env/torch/lib/libtorch_cuda.so"),
        ),
        "a DLL": (
            ErrorMessage(
                "Could not locate cudnn_ops_infer64_8.dll. Please make sure it is in your library path", "paste"
            ),
        ),
        "a CPU build beside another library's wish": (
            TorchBuild("2.8.0+cpu", cuda=None),
            ErrorMessage(
                "Could not load library libcudnn_ops_infer.so.8. Error: libcudnn_ops_infer.so.8: cannot open shared object file: No such file",
                "paste",
            ),
        ),
        "TensorFlow lacks it, and PyTorch is not installed": (
            Distribution("numpy", "2.0.0"),
            ErrorMessage(
                "Could not load dynamic library 'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file",
                "paste",
            ),
        ),
    },
    quiet={
        "it is there, and does not fit another part of cuDNN": (
            ErrorMessage(
                "Could not load library libcudnn_cnn_infer.so.8. Error: /usr/lib/libcudnn_cnn_infer.so.8: undefined symbol: "
                "_ZN11nvrtcHelper4loadEb, version libcudnn_ops_infer.so.8",
                "paste",
            ),
        ),
        "it is there, and finds no driver": (
            ErrorMessage(
                "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file",
                "paste",
            ),
        ),
        "the message ends before it says why": (
            ErrorMessage("Could not load library libcudnn_cnn_infer.so.8", "paste"),
        ),
        "TensorFlow lacks it beside a PyTorch that brings its own": (
            TorchBuild("2.6.0+cu124", cuda="12.4"),
            ErrorMessage(
                "W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library "
                "'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file",
                "paste",
            ),
        ),
        "cuDNN 8 of the system beside cuDNN 9 of the wheels": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            TorchImport(True),
            LibraryFile("libcudnn.so.8", "/usr/lib/x86_64-linux-gnu/libcudnn.so.8.9.0", "8.9.0", "ld.so.cache"),
        ),
        "the part that cuDNN 9.20 never had": (
            TorchBuild("2.13.0+cu130", cuda="13.0"),
            TorchImport(True),
            MissingLibraryFile("libcudnn_engines_tensor_ir.so.9", "/env/nvidia/cudnn/lib/libcudnn_graph.so.9"),
        ),
        "TensorFlow lacks it, and pip lists a PyTorch": (
            Distribution("torch", "2.6.0"),
            ErrorMessage(
                "Could not load dynamic library 'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file",
                "paste",
            ),
        ),
        "torch imports: another library's wish for cuDNN 8": (
            TorchImport(True),
            MissingLibraryFile("libcudnn.so.8", "/env/torch/lib/libtorch_cuda.so"),
        ),
        "torch was not imported, and a library that is not cuDNN's is nowhere": (
            MissingLibraryFile("libnvshmem_host.so.3", "/env/torch/lib/libtorch_nvshmem.so"),
        ),
    },
)

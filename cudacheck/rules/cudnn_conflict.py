"""Parts of cuDNN come from two places, or an older cuDNN than PyTorch was compiled against is loaded.

## What it does
Looks at the cuDNN libraries that the process really mapped after a convolution: all of one major version must come
from one folder. A second cuDNN that merely lies in the system is no fault, because PyTorch's wheels find their own.

## Why it matters
cuDNN 9 refuses to work with parts of another version (CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH); older ones stop
with symbol errors, or PyTorch refuses them. It comes from LD_LIBRARY_PATH, from a cuDNN in the system that fills in
for a part which the wheel lacks, or from two wheels that wrote into the same folder.

## What to do
Take the folder with the other cuDNN off LD_LIBRARY_PATH, then put PyTorch's own wheel back.

## References
- https://github.com/pytorch/pytorch/issues/80637
- https://github.com/pytorch/pytorch/issues/185512
- https://github.com/pytorch/pytorch/issues/188892
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _libraries, _messages, _torch

MESSAGES = (
    r"CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH",
    r"compiled\s+against \(?(?P<built>\d[\d, ]*)\)? but (?:linked against|found runtime version) \(?(?P<found>[\d, ]+)",
    r"Loaded runtime CuDNN library: (?P<found>\d[\d.]*) but source was compiled with: (?P<built>\d[\d.]*)",
    r"(?P<library>libcudnn\w*\.so\.\d+): (?:undefined symbol: \S+|symbol \w+ version \S+ not defined)",
    r"CUDNN_STATUS_VERSION_MISMATCH",
)


def check(
    loaded: tuple[LoadedLibrary, ...] | None,
    imported: TorchImport | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    for major, libraries in _by_major(loaded or ()).items():
        folders = {posixpath.dirname(library.path) for library in libraries}
        versions = {library.version for library in libraries}
        if len(folders) > 1 and (None in versions or len(versions) > 1):
            works = any(run.kernel == "convolution" and run.ok for run in runs or ())
            yield Finding(
                f"cuDNN {major} is mapped from {len(folders)} folders at once",
                tuple(Evidence(f"{x.soname} {x.version or ''}".strip(), x.path) for x in libraries),
                tuple(_remedies(facts)),
                severity=Severity.WARNING if works else None,
            )
    match = _torch.in_import(MESSAGES, imported)
    if match:
        yield _heard(match, Evidence(_torch.one_line(_torch.failed_import(imported)), "import torch"), facts)


def _by_major(loaded: Sequence[LoadedLibrary]) -> dict[int, list[LoadedLibrary]]:
    found = defaultdict(list)
    for library in loaded:
        major = _libraries.soname_major(library.soname)
        if library.soname.startswith("libcudnn") and major:
            found[major].append(library)
    return found


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    yield _heard(match, _messages.quote(match, said), facts)


def _heard(match: re.Match[str], evidence: Evidence, facts: Facts) -> Finding:
    message = "the parts of cuDNN that were loaded are of different versions"
    named, row = match.groupdict(), knowledge.message_of(match)
    if "built" in named:
        built, found = (".".join(re.findall(r"\d+", named[group])) for group in ("built", "found"))
        program = row.program if row else "PyTorch" if "against" in match[0] else "the program"
        message = f"cuDNN {found} is loaded, but {program} was compiled against cuDNN {built}"
        if row:
            again = Remedy(f"install {program} again together with the cuDNN that it asks for")
            return Finding(message, (evidence,), (again,))
    elif "library" in named:
        message = f"{named['library']} was loaded beside a cuDNN of another version"
    return Finding(message, (evidence,), tuple(_remedies(facts)))


def _remedies(facts: Facts) -> Iterator[Remedy]:
    if _libraries.path_leads_to(facts, "libcudnn"):
        yield remedies.unset_variable(facts, "LD_LIBRARY_PATH")
    elif not facts.is_answered(EnvironmentVariables):
        yield Remedy("see that LD_LIBRARY_PATH leads to no folder with another cuDNN", ('echo "$LD_LIBRARY_PATH"',))
    yield _libraries.sound_cudnn(facts)


OWN, SYSTEM = "/env/nvidia/cudnn/lib", "/usr/lib/x86_64-linux-gnu"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=(
        "nvidia-wheels-conflict",
        "cudnn-incomplete",
    ),
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "what older JAX says": (
            ErrorMessage(
                "CUDA backend failed to initialize: Found cuDNN version 8600, but JAX was built against version 8906, which "
                "is newer.",
                "paste",
            ),
        ),
        "what newer JAX says": (
            ErrorMessage(
                "RuntimeError: Outdated cuDNN installation found.\nVersion JAX was built against: 91100\n"
                "Minimum supported: 90800\nInstalled version: 90100\nThe local installation version must be no lower than 90800.",
                "paste",
            ),
        ),
        "one part comes from the system": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.20.0.48"),
            LoadedLibrary(
                "libcudnn_engines_tensor_ir.so.9", f"{SYSTEM}/libcudnn_engines_tensor_ir.so.9.23.0", "9.23.0"
            ),
        ),
        "what cuDNN answers": (ErrorMessage("cudnn_status: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", "paste"),),
        "what PyTorch says of an older cuDNN on LD_LIBRARY_PATH": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}),
            ErrorMessage(
                "cuDNN version incompatibility: PyTorch was compiled against (8, 3, 2) but found runtime version (8, 0, 3)",
                "paste",
            ),
        ),
        "what PyTorch 1.0 says": (
            ErrorMessage("cuDNN version mismatch: PyTorch was compiled against 7102 but linked against 7600", "paste"),
        ),
        "what JAX and TensorFlow say": (
            ErrorMessage("Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.8.0.", "paste"),
        ),
        "what glibc says of a versioned symbol": (
            ErrorMessage(
                "libcudnn_cnn_infer.so.8: symbol cudnnX version libcudnn_ops_infer.so.8 not defined in file", "x"
            ),
        ),
        "two versions in two folders, and convolutions run": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.20.0.48"),
            LoadedLibrary("libcudnn_graph.so.9", f"{SYSTEM}/libcudnn_graph.so.9.23.0", "9.23.0"),
            KernelRun(0, "convolution", ok=True),
        ),
        "two versions in two folders, and only matrices multiply": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.20.0.48"),
            LoadedLibrary("libcudnn_graph.so.9", f"{SYSTEM}/libcudnn_graph.so.9.23.0", "9.23.0"),
            KernelRun(0, "float16 matmul", ok=True),
            KernelRun(0, "convolution", ok=False),
        ),
    },
    quiet={
        "cuDNN 9.14 in the system, 9.19 of the wheels loaded": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.19.0.56"),
            LoadedLibrary("libcudnn_graph.so.9", f"{OWN}/libcudnn_graph.so.9", "9.19.0.56"),
        ),
        "cuDNN 8 for one library, cuDNN 9 for another": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.10.2.21"),
            LoadedLibrary("libcudnn.so.8", f"{SYSTEM}/libcudnn.so.8.9.7", "8.9.7"),
        ),
        "one version in two folders": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.19.0.56"),
            LoadedLibrary("libcudnn_graph.so.9", f"{SYSTEM}/libcudnn_graph.so.9", "9.19.0.56"),
        ),
        "two versions side by side in one folder": (
            LoadedLibrary("libcudnn.so.9", f"{OWN}/libcudnn.so.9", "9.19.0.56"),
            LoadedLibrary("libcudnn_graph.so.9", f"{OWN}/libcudnn_graph.so.9", "9.19.0"),
        ),
        "libraries that are not of cuDNN": (
            LoadedLibrary("libcublas.so.12", f"{OWN}/libcublas.so.12", "12.8.4.1"),
            LoadedLibrary("libcublasLt.so.12", f"{SYSTEM}/libcublasLt.so.12", "12.1.3.1"),
        ),
    },
)

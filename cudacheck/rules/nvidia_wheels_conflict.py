"""NVIDIA wheels of two CUDA majors, or an older library in front of them, left PyTorch with the wrong libraries.

## What it does
Finds files that wheels for two CUDA majors both claim (`nvidia-nccl-cu12` and `nvidia-nccl-cu13` write the same
`libnccl.so.2`) and which of them is on disk; and hears the symbol errors that follow when one NVIDIA library loads
another of the wrong version.

## Why it matters
Whichever wheel was installed last wins, and uninstalling one deletes the files of the other while `pip check` stays
silent. PyTorch then fails to import, or fails at its first convolution or collective.

## What to do
Remove the wheels of the other major, then force-install those that PyTorch pins: the order matters, since removing
deletes shared files. If LD_LIBRARY_PATH leads to a toolkit, unset it: it wins over what the wheels name.

## References
- https://github.com/pytorch/pytorch/issues/186591
- https://github.com/pytorch/pytorch/issues/111469
- https://github.com/pytorch/pytorch/issues/134929
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cudacheck import knowledge, remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution, FileClash
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _libraries, _messages, _torch

MESSAGES = (
    r"undefined symbol: (_*nvJitLink\w+)",
    r"lib(?:cublas(?:Lt)?|cusparse(?:Lt)?|cusolver(?:Mg)?|cufft|curand|cupti)\.so[.\d]*: (?:undefined )?symbol:? (\w+)",
    r"undefined symbol: (\w+), version lib(?:cudart|cublas|cublasLt|cusparse|cusolver|cufft|nvrtc|cupti)\.so",
    r"undefined symbol: (nccl[A-Z]\w+)",
    r"(CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH)",
)


def check(
    clashes: tuple[FileClash, ...] | None,
    build: TorchBuild | None,
    imported: TorchImport | None,
    runs: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    major = _torch.cuda_major(build)
    foreign = sorted({name for clash in clashes or () for name in map(_name, clash.owners) if _is_foreign(name, major)})
    if foreign:
        spoiled = [c for c in clashes or () if c.winner and _is_foreign(_name(c.winner), major)]
        broken = any(not run.ok for run in runs or ()) or (imported is not None and not imported.ok)
        proven = any(run.ok for run in runs or ()) or (imported is not None and imported.ok)
        yield Finding(
            f"{' and '.join(foreign)} and the wheels of {_torch.spoken(build)} claim the same files",
            tuple(
                Evidence(f"{' and '.join(c.owners)}; on disk: {c.winner or 'unknown'}", c.path) for c in clashes or ()
            )[:8],
            tuple(_remedies(foreign, facts)),
            severity=Severity.ERROR if broken or (spoiled and not proven) else Severity.WARNING,
        )
    match = _torch.in_import(MESSAGES, imported)
    if match and _is_ours(match, facts):
        yield _finding(match, Evidence(_torch.one_line(_torch.failed_import(imported)), "import torch"), facts)


def _name(owner: str) -> str:
    return owner.partition("==")[0]


def _is_foreign(name: str, major: int | None) -> bool:
    """Whether a wheel is for another CUDA major than PyTorch."""
    of_wheel = _libraries.wheel_cuda(name)
    return of_wheel is not None and major is not None and of_wheel != major


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if knowledge.message_of(match):
        yield _of_jax(match, facts)
    elif _is_ours(match, facts):
        yield _finding(match, _messages.quote(match, said), facts)


def _of_jax(match: re.Match[str], facts: Facts) -> Finding:
    """JAX compares what was loaded with what it was compiled with."""
    library = _messages.named(match, "library", "a library of CUDA")
    message = f"JAX loads a {library} that is older than the one it was built with, and leaves the GPU unused"
    wheels = Remedy("install JAX again together with the wheels that it requires, as its page of installation says")
    hidden = (remedies.unset_variable(facts, "LD_LIBRARY_PATH"),) if _libraries.library_path(facts) else ()
    return Finding(message, (), (*hidden, wheels))


def _is_ours(match: re.Match[str], facts: Facts) -> bool:
    """NCCL's symbols and cuDNN's refusal have other causes too: they count where two majors are installed."""
    library = "nccl" if match[1].startswith("nccl") else "cudnn" if match[1].startswith("CUDNN") else None
    return library is None or len(_majors(library, facts)) > 1


def _majors(library: str, facts: Facts) -> set[int]:
    names = [d.name for d in facts.all(Distribution) if d.name.startswith(f"nvidia-{library}-cu")]
    return {major for major in map(_libraries.wheel_cuda, names) if major}


def _finding(match: re.Match[str], evidence: Evidence, facts: Facts) -> Finding:
    path = _libraries.library_path(facts)
    told = (evidence, Evidence(f"LD_LIBRARY_PATH={path}", "environment")) if path else (evidence,)
    major = _torch.cuda_major(facts.one(TorchBuild))
    shared = re.compile(r"nvidia-(?:cudnn|nccl|cusparselt|nvshmem)-cu\d\d")
    names = {d.name for d in facts.all(Distribution)}
    foreign = sorted(name for name in names if shared.fullmatch(name) and _is_foreign(name, major))
    message = f"PyTorch loads NVIDIA libraries that do not belong together: {match[1]} is missing"
    if match[1].startswith("CUDNN"):
        message = "PyTorch loads parts of cuDNN that do not belong together"
    return Finding(message, told, tuple(_remedies(foreign, facts, match[1])))


def _remedies(foreign: Sequence[str], facts: Facts, missing: str = "") -> Iterator[Remedy]:
    path, own = _libraries.library_path(facts), {re.sub(r"^nvidia-|-cu\d\d$", "", name) for name in foreign}
    wheels = [pin for pin in (_libraries.pinned(facts, name) for name in sorted(own)) if pin]
    nvjitlink = _libraries.pinned(facts, "nvjitlink") if "nvJitLink" in missing else None
    if path:
        yield remedies.unset_variable(facts, "LD_LIBRARY_PATH")
    if foreign and len(wheels) == len(own):
        title = "remove the wheels of the other CUDA major, then put PyTorch's own back"
        yield remedies.install(facts, wheels, title=title, uninstall=foreign, force=True, no_deps=True)
    elif nvjitlink:
        yield remedies.reinstall_wheels(facts, [nvjitlink])
    elif not path:
        yield from _torch.right_build(facts, "make a new environment, and install PyTorch in it first")


CU130 = TorchBuild(
    "2.11.0+cu130", cuda="13.0", nccl_pin="nvidia-nccl-cu13==2.28.9", cudnn_pin="nvidia-cudnn-cu13==9.19.0.56"
)
NCCL = "/env/nvidia/nccl/lib/libnccl.so.2"
BOTH = ("nvidia-nccl-cu12==2.27.5", "nvidia-nccl-cu13==2.28.9")


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=("torch-shadowed",),
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "what older JAX says of cuSPARSE": (
            ErrorMessage(
                "CUDA backend failed to initialize: Found cuSPARSE version 12103, but JAX was built against version 12200, "
                "which is newer. The copy of cuSPARSE that is installed must be at least as new",
                "x",
            ),
        ),
        "what newer JAX says of cuBLAS, beside a variable": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"}),
            ErrorMessage(
                "Outdated cuBLAS installation found.\nVersion JAX was built against: 120304\nMinimum supported: 120100\n"
                "Installed version: 120002\nThe local installation version must be no lower than 120100.",
                "x",
            ),
        ),
        "NCCL for CUDA 12 lies over the one for CUDA 13": (CU130, FileClash(NCCL, BOTH, winner=BOTH[0])),
        "the right one won, for now": (CU130, TorchImport(True), FileClash(NCCL, BOTH, winner=BOTH[1])),
        "a toolkit's nvJitLink on LD_LIBRARY_PATH": (
            EnvironmentVariables({"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"}),
            ErrorMessage(
                "ImportError: libcusparse.so.12: undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12",
                "paste",
            ),
        ),
        "two releases of cuBLAS, as glibc says it of a versioned symbol": (
            ErrorMessage(
                "libcublas.so.11: symbol cublasLtHSHMatmulAlgoInit version libcublasLt.so.11 not defined in file "
                "libcublasLt.so.11 with link time reference",
                "paste",
            ),
        ),
        "the right one won, and nobody tried": (CU130, FileClash(NCCL, BOTH, winner=BOTH[1])),
        "the right one won, and a kernel failed": (
            CU130,
            TorchImport(True),
            KernelRun(0, "addition", ok=False),
            FileClash(NCCL, BOTH, winner=BOTH[1]),
        ),
        "the wrong one won, and a kernel ran": (
            CU130,
            KernelRun(0, "addition", ok=True),
            FileClash(NCCL, BOTH, winner=BOTH[0]),
        ),
        "the wrong one won, and torch was imported": (CU130, TorchImport(True), FileClash(NCCL, BOTH, winner=BOTH[0])),
        "the right one won, and the import failed": (
            CU130,
            TorchImport(False, error_type="ImportError", error="boom"),
            FileClash(NCCL, BOTH, winner=BOTH[1]),
        ),
        "nobody knows which one won": (CU130, FileClash(NCCL, BOTH)),
        "nvJitLink is too old, and PyTorch pins its own": (
            TorchBuild("2.4.1+cu121", cuda="12.1"),
            Distribution("nvidia-nvjitlink-cu12", "12.1.105"),
            ErrorMessage(
                "libcusparse.so.12: undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12", "paste"
            ),
        ),
        "an undefined symbol of NCCL, and two majors": (
            CU130,
            Distribution("nvidia-nccl-cu12", "2.27.5"),
            Distribution("nvidia-nccl-cu13", "2.28.9"),
            Distribution("nvidia-cudnn-cu13", "9.19.0.56"),
            ErrorMessage(
                "ImportError: /env/torch/lib/libtorch_cuda.so: undefined symbol: ncclCommWindowRegister", "paste"
            ),
        ),
    },
    quiet={
        "CUDA 12 wheels for another package, in folders of their own": (
            CU130,
            Distribution("nvidia-cublas-cu12", "12.8.4.1"),
            Distribution("nvidia-cudnn-cu13", "9.19.0.56"),
        ),
        "the wheels of one major": (
            TorchBuild("2.8.0+cu128", cuda="12.8"),
            Distribution("nvidia-nccl-cu12", "2.27.3"),
            Distribution("nvidia-cudnn-frontend", "1.16.0"),
        ),
        "an undefined symbol of NCCL, and one major": (
            CU130,
            Distribution("nvidia-nccl-cu13", "2.28.9"),
            ErrorMessage(
                "ImportError: /env/torch/lib/libtorch_cuda.so: undefined symbol: ncclCommWindowRegister", "paste"
            ),
        ),
    },
)

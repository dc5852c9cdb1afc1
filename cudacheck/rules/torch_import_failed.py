"""`import torch` fails, hangs or kills the process.

## What it does
Imports PyTorch in a child process and reports what that raised, the signal that ended it, or that it did not
finish in time. Faults with a rule of their own (a missing cuDNN, mixed NVIDIA wheels, an old glibc, another `torch`
in the way) explain this finding.

## Why it matters
No program that uses PyTorch can start.

## What to do
Follow the finding that explains it. Where there is none: put PyTorch's files back by installing the same version
again; on Windows install the Visual C++ runtime, and leave PyTorch 2.4.0, whose wheels lack `libomp140.x86_64.dll`.

## References
- https://github.com/pytorch/pytorch/issues/131662
- https://github.com/pytorch/pytorch/issues/129568
- https://github.com/pytorch/pytorch/issues/123097
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
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _messages, _torch

OWN_DLL = (
    r"(?:[^\"'\n]{0,300}[\\/]torch[\\/]{1,2}lib[\\/]{1,2}"  # JSON doubles backslashes; programs leave the folder out
    r"|(?:[^\"'\n]{0,300}[\\/])?(?=(?:c10|torch|caffe2|fbgemm|asmjit|shm|uv)(?:_\w+)?\.dll))([\w.-]+)"
)
MESSAGES = (
    rf"\[WinError (\d+)\][^\[]{{0,200}}?Error loading \\?[\"']{OWN_DLL}",
    # before CPython 3.10 the loader of Windows does not name what it loads; its words are localised
    r"from torch\._C import \*[^\n]{0,80}?\s{1,40}ImportError: DLL load failed",
    r"libtorch_\w+\.so: undefined symbol: (iJIT_\w+)",
    r"libtorch_(?:cpu|python|global_deps)\.so: (?:cannot open shared object file|undefined symbol: _Z\w+)",
    r"cannot allocate memory in static TLS block",
)
DIED = {
    Outcome.CRASHED: "`import torch` kills the process",
    Outcome.TIMED_OUT: "`import torch` does not finish",
    Outcome.STUCK: "`import torch` is stuck in the kernel",
    Outcome.FAILED: "`import torch` could not be tried",
}


def check(imported: TorchImport | None, runs: tuple[ProbeRun, ...] | None, facts: Facts) -> Iterator[Finding]:
    error = _torch.failed_import(imported)
    if error and not re.search(r"No module named ['\"]torch['\"]", error):
        yield _finding(_words(error), Evidence(_torch.one_line(error), "import torch"), error, facts)
    for run in runs or ():
        if run.probe == "torch_import" and run.outcome in DIED and not run.cut_short:
            words = f"{DIED[run.outcome]}: {run.detail}" if run.detail else DIED[run.outcome]
            told = Evidence(run.detail or str(run.outcome), "import torch in a child process")
            yield _finding(words, told, "", facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    yield _finding(_words(match[0]), _messages.quote(match, said), said.text, facts)


def _words(error: str) -> str:
    dll = re.search(MESSAGES[0], error)
    if dll:
        return f"`import torch` fails: Windows cannot load {dll[2]}, or a library that it needs (WinError {dll[1]})"
    return f"`import torch` fails: {_torch.one_line(error, 120)}"


def _finding(message: str, evidence: Evidence, error: str, facts: Facts) -> Finding:
    return Finding(message, (evidence,), tuple(_remedies(error, facts)))


def _remedies(error: str, facts: Facts) -> Iterator[Remedy]:
    build = facts.one(TorchBuild)
    lacks_openmp = "fbgemm" in error and (build is None or _torch.release(build.version) in {None, "2.4.0"})
    if "iJIT_" in error:
        yield Remedy("go back to MKL 2024.0: 2024.1 lost this symbol", _torch.conda_install(facts, "mkl<2024.1"))
    if lacks_openmp:
        yield _next_patch(build, facts)
    if "WinError 1455" in error:
        yield Remedy("enlarge the Windows paging file: the libraries did not fit into memory")
    elif "WinError" in error:
        yield Remedy("install the Visual C++ runtime", ("winget install Microsoft.VCRedist.2015+.x64",))
    if "static TLS block" in error:
        yield Remedy("import torch before every other package in the program")
    if not lacks_openmp:
        yield remedies.reinstall_torch(facts)


def _next_patch(build: TorchBuild | None, facts: Facts) -> Remedy:
    """PyTorch 2.4.0 forgot libomp140.x86_64.dll in its wheels for Windows; 2.4.1 has it."""
    title = "leave PyTorch 2.4.0, whose Windows wheels lack libomp140.x86_64.dll: install 2.4.1"
    pair = knowledge.companions("2.4.1")
    tag = knowledge.tag_of_cuda(build.cuda) if build and build.cuda else ""
    if not pair or not knowledge.exists("2.4.1", tag):
        return Remedy(f"{title} or newer")
    family = ("torch", "torchvision", "torchaudio")
    specs = ["torch==2.4.1", f"torchvision=={pair.torchvision}", f"torchaudio=={pair.torchaudio}"]
    return remedies.install(facts, specs, title=title, index_tag=tag, uninstall=family)


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_IMPORT,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        Family.BROKEN_LIBRARIES,
        "malformed-setting",
        "process-limit-too-low",
        "container-missing-capability",
        "torch-missing",
        "torch-shadowed",
        "glibc-too-old",
    ),
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "a DLL that Windows cannot load": (
            ErrorMessage(
                "OSError: [WinError 126] The specified module could not be found. Error loading "
                '"C:\\Python312\\Lib\\site-packages\\torch\\lib\\fbgemm.dll" or one of its dependencies.',
                "paste",
            ),
        ),
        "a notebook's JSON, in which backslashes are doubled": (
            ErrorMessage(
                '[WinError 126] The module could not be found. Error loading "C:\\\\py\\\\torch\\\\lib\\\\shm.dll"',
                "paste",
            ),
        ),
        "a program that leaves out the folder": (
            ErrorMessage(
                'OSError: [WinError 127] The specified procedure could not be found. Error loading "torch_python.dll"',
                "paste",
            ),
        ),
        "MKL without a symbol that torch 2.x wants": (
            TorchImport(
                False,
                error_type="ImportError",
                error="/env/torch/lib/libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent",
            ),
        ),
        "the import died of a signal": (
            ProbeRun("torch_import", "patient", Outcome.CRASHED, 0.4, "died of SIGSEGV (11)"),
        ),
        "Windows before CPython 3.10, in its own language": (
            ErrorMessage(
                "    from torch._C import *\nImportError: DLL load failed: \u627e\u4e0d\u5230\u6307\u5b9a\u7684\u6a21\u5757\u3002",
                "paste",
            ),
        ),
    },
    quiet={
        "the run's own time was over": (
            ProbeRun("torch_import", "patient", Outcome.TIMED_OUT, 8.0, "the whole run's limit of 8 s", cut_short=True),
        ),
        "another package's library": (
            ErrorMessage(
                '[WinError 126] The specified module could not be found. Error loading "C:\\py\\onnxruntime\\capi\\x.dll"',
                "paste",
            ),
        ),
        "it imports": (TorchImport(True, seconds=2.6), ProbeRun("torch_import", "patient", Outcome.OK, 2.6)),
        "nothing to import": (ProbeRun("torch_import", "patient", Outcome.SKIPPED, None, "torch is not installed"),),
        "another module is missing": (ErrorMessage("ModuleNotFoundError: No module named 'vllm._C'", "paste"),),
    },
)

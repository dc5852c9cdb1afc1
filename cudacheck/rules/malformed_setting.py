"""An environment variable has a value that PyTorch cannot read, or two that contradict each other.

## What it does
Reads `PYTORCH_ALLOC_CONF` (its older name `PYTORCH_CUDA_ALLOC_CONF`) as PyTorch does: options `name:value`, with commas
between them, a value being a number, a word or a list in brackets. `expandable_segments` is `True` or `False`,
`garbage_collection_threshold` lies between 0 and 1. Reads `CUBLAS_WORKSPACE_CONFIG`, which is `:SIZE:COUNT`. Hears
PyTorch's own words about either. Two names of the allocator's settings that say different things contradict each other.
Options that it does not know are none of its business: each PyTorch knows others.

It is an error where PyTorch aborts, or says so itself, beside a value that it cannot read.

## Why it matters
PyTorch reads the allocator's settings while it is imported or when it first uses the GPU, and gives up: with an error
that does not name the variable, or with SIGABRT. A workspace that it cannot read is ignored, so that results which
were to be repeatable are not.

## What to do
Write it as the documentation does, `max_split_size_mb:512,expandable_segments:True` or `:4096:8`, or unset it.

## References
- https://docs.pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-alloc-conf
- https://docs.pytorch.org/docs/stable/cuda_environment_variables.html
- https://docs.nvidia.com/cuda/cublas/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity, cut
from cudacheck.model.report import Outcome, ProbeRun
from cudacheck.model.rule import Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _torch

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""The newer name wins where both are set (PyTorch 2.9)."""
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
EXAMPLES = {WORKSPACE: ":4096:8"} | dict.fromkeys(ALLOCATOR, "max_split_size_mb:512,expandable_segments:True")
OPTION = re.compile(r"(?P<name>\w+):(?P<value>\[[\w:,.>]*\]|[\w.]+)")
SHOWN = 60


def check(
    variables: EnvironmentVariables,
    build: TorchBuild | None,
    imported: TorchImport | None,
    runs: tuple[ProbeRun, ...] | None,
    kernels: tuple[KernelRun, ...] | None,
    facts: Facts,
) -> Iterator[Finding]:
    if build is None or build.cuda is None:
        return  # a CPU build reads none of them
    values = variables.values
    wrong = dict(_malformed(values))
    if wrong:
        name, said = next(iter(wrong.items()))
        fatal = name != WORKSPACE and _stopped(imported, runs or (), kernels or ())
        yield _finding(facts, variables, name, said, Severity.ERROR if fatal else None)
    for name, said in _contradictions(values):
        if name not in wrong:
            yield _finding(facts, variables, name, said)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    name = WORKSPACE if WORKSPACE in match[0] else _set_name(facts)
    shown = f": {match['what']}" if match.groupdict().get("what") else ""
    message = f"PyTorch cannot read {name}{shown}"
    ignored = name == WORKSPACE
    advice = _remedies(facts, name)
    yield Finding(message, (), advice, severity=None if ignored else Severity.ERROR)


def _malformed(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that PyTorch cannot read, and why, in words."""
    for name in ALLOCATOR:
        if said := _unreadable(values.get(name, "")):
            yield name, said
    workspace = values.get(WORKSPACE)
    if workspace and not re.search(r":\d+:\d+", workspace):
        yield WORKSPACE, "it has no :SIZE:COUNT, and is ignored"


def _unreadable(value: str) -> str:
    """Why PyTorch's allocator cannot read this; empty where it can, or nothing is set."""
    text = value.replace(" ", "").removesuffix(",")
    at = 0
    while at < len(text):
        option = OPTION.match(text, at)
        if option is None or text[option.end() : option.end() + 1] not in {"", ","}:
            return f"`{text[at:].partition(',')[0][:SHOWN]}` is not of the form name:value"
        if said := _wrong_value(option["name"], option["value"]):
            return said
        at = option.end() + 1
    return ""


def _wrong_value(name: str, value: str) -> str:
    if name == "expandable_segments" and value not in {"True", "False"}:
        return f"expandable_segments is True or False, not {value[:SHOWN]}"
    if name == "garbage_collection_threshold" and not _is_share(value):
        return f"garbage_collection_threshold lies between 0 and 1, unlike {value[:SHOWN]}"
    if name == "max_split_size_mb" and not value[:1].isdecimal():
        return f"max_split_size_mb is a number, unlike {value[:SHOWN]}"
    return ""


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False


def _contradictions(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    new, old = (values.get(name) for name in ALLOCATOR)
    if new and old and new != old:
        yield ALLOCATOR[1], f"{ALLOCATOR[0]} says otherwise, and only one of them counts"


def _stopped(imported: TorchImport | None, runs: tuple[ProbeRun, ...], kernels: tuple[KernelRun, ...]) -> bool:
    """Whether PyTorch came no further than the point at which it reads the allocator's settings."""
    aborted = any(
        run.probe in DIES and run.outcome is Outcome.CRASHED and re.search("SIGABRT|SIGSEGV", run.detail)
        for run in runs
    )
    said = [_torch.failed_import(imported), *(run.error or "" for run in kernels)]
    return aborted or any(re.search(pattern, words) for pattern in MESSAGES[:3] for words in said)


def _set_name(facts: Facts) -> str:
    variables = facts.one(EnvironmentVariables)
    values = variables.values if variables else {}
    return next((name for name in ALLOCATOR if values.get(name)), ALLOCATOR[1])


def _finding(
    facts: Facts, variables: EnvironmentVariables, name: str, said: str, severity: Severity | None = None
) -> Finding:
    value = variables.values[name]
    seen = Evidence(f"{name}={cut(value, SHOWN)}", variables.found_in)
    return Finding(f"{name} cannot be right: {said}", (seen,), _remedies(facts, name), severity=severity)


def _remedies(facts: Facts, name: str) -> tuple[Remedy, ...]:
    return (
        remedies.unset_variable(facts, name),
        Remedy(f"write it as documented: {name}={EXAMPLES[name]}"),
    )


DIES = ("torch_import", "torch_cuda", "attention_backends", "kernels")
"""The probes in which PyTorch may read them."""
MESSAGES = (
    r"Unrecognized (?:CachingAllocator option: ?|key ')(?P<what>[\w=.-]{0,60})",
    r"Error parsing CachingAllocator settings|Expected a single True/False argument for \w{1,60}",
    r"CachingAllocator option \w{1,60} too (?:small|big)|garbage_collect_threshold too (?:small|big)",
    r"Could not parse CUBLAS_WORKSPACE_CONFIG",
)
CU130 = TorchBuild("2.11.0+cu130", "13.0")
EQUALS = EnvironmentVariables({"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb=512"})


RULE = Rule(
    severity=Severity.WARNING,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.PROGRAM,
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "= for :, and the import dies": (
            CU130,
            EQUALS,
            ProbeRun("torch_import", "patient", Outcome.CRASHED, 0.4, "died of SIGABRT (6)"),
        ),
        "neither True nor False": (
            CU130,
            EnvironmentVariables({"PYTORCH_ALLOC_CONF": "expandable_segments:true"}),
        ),
        "neither True nor False, and the first allocation dies": (
            CU130,
            EnvironmentVariables({"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:yes"}),
            ProbeRun("attention_backends", "patient", Outcome.CRASHED, 1.1, "died of SIGSEGV (11)"),
            ProbeRun("kernels", "patient", Outcome.CRASHED, 1.2, "died of SIGSEGV (11)"),
        ),
        "a share beyond 1": (
            CU130,
            EnvironmentVariables({"PYTORCH_CUDA_ALLOC_CONF": "garbage_collection_threshold:80"}),
        ),
        "a workspace without its colon": (CU130, EnvironmentVariables({"CUBLAS_WORKSPACE_CONFIG": "4096:8"})),
        "two names, two wills": (
            CU130,
            EnvironmentVariables(
                {
                    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
                    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False",
                }
            ),
        ),
        "PyTorch says so": (
            ErrorMessage("RuntimeError: Unrecognized CachingAllocator option: expandable_segments", "ticket.txt"),
        ),
    },
    quiet={
        "all that the documentation shows": (
            CU130,
            EnvironmentVariables(
                {
                    "PYTORCH_CUDA_ALLOC_CONF": (
                        "backend:native, max_split_size_mb:512, roundup_power2_divisions:[256:1,512:2,>:8], "
                        "garbage_collection_threshold:0.8,expandable_segments:True,pinned_num_register_threads:8,"
                    ),
                    "CUBLAS_WORKSPACE_CONFIG": ":4096:2:16:8",
                }
            ),
        ),
        "both names, one will": (
            CU130,
            EnvironmentVariables(
                {
                    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
                    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
                }
            ),
        ),
        "empty": (CU130, EnvironmentVariables({"PYTORCH_CUDA_ALLOC_CONF": "", "CUBLAS_WORKSPACE_CONFIG": ""})),
        "a CPU build": (TorchBuild("2.11.0+cpu", cuda=None), EQUALS),
    },
)

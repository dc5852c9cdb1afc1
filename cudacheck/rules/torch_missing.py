"""PyTorch is not installed in the inspected environment.

## What it does
Reports that the inspected interpreter finds no `torch` package: neither a wheel nor a conda package, and no
source build on its path.

## Why it matters
Nothing can be said about PyTorch on this GPU, and a program that imports it stops at once. Often PyTorch is
installed, but in another environment than the one that is active: the report's first lines name the interpreter.

## What to do
Activate the environment that has PyTorch, or name it with `--python`. Otherwise install the build that fits the
driver, the GPU and the Python version, with torchvision and torchaudio in the same command.

## References
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.rules import _messages, _torch

IS_THERE = re.compile(r"[/\\]torch[/\\]|Error loading \\?[\"']")
IN_A_BUILD = re.compile(r"get_requires_for_build|[Bb]uild(?:ing)? (?:wheel|isolation|dependencies)|egg_info|setup\.py")
"""pip builds packages in an empty environment: there, torch is missing though it is installed."""


def check(builds: tuple[TorchBuild, ...], interpreter: Interpreter | None, facts: Facts) -> Iterator[Finding]:
    # collect_env prints `PyTorch version: N/A` for a torch that is there and does not import, too.
    if builds or any(IS_THERE.search(said.text) for said in facts.all(ErrorMessage)):
        return
    where = (interpreter.executable or "") if interpreter else ""
    version = f" (Python {interpreter.version})" if interpreter else ""
    yield _finding(
        f"PyTorch is not installed in the inspected environment{version}", Evidence("no torch package", where), facts
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    installed = facts.one(TorchBuild) or any(d.name == "torch" for d in facts.all(Distribution))
    if not installed and not IN_A_BUILD.search(said.text):
        yield _finding("PyTorch is not installed in the environment that ran this", _messages.quote(match, said), facts)


def _finding(message: str, evidence: Evidence, facts: Facts) -> Finding:
    advice = "install PyTorch as its own page says for this platform"
    return Finding(message, (evidence,), _torch.right_build(facts, advice))


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.TORCH_BUILD,
    fix_by=FixBy.ENVIRONMENT,
    explained_by=(
        "no-gpu",
        "torch-shadowed",
        "python-without-wheel",
    ),
    check=check,
    heard=heard,
    messages=(
        r"No module named ['\"]torch['\"]",
        r"Couldn't install torch\b",
    ),
    fires={
        "a program that does not find it": (ErrorMessage("ModuleNotFoundError: No module named 'torch'", "paste"),),
        "pip lists others": (
            Distribution("numpy", "2.0.0"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "paste"),
        ),
        "the web UI that could not install it": (ErrorMessage("RuntimeError: Couldn't install torch.", "paste"),),
    },
    quiet={
        "torch is there": (TorchBuild("2.8.0+cu128", cuda="12.8"),),
        "flash-attn built in isolation: torch is there, but pip hides it": (
            TorchBuild("2.10.0", cuda="12.8"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "paste"),
        ),
        "torch is there and does not import": (
            ErrorMessage('OSError: [WinError 126] Error loading "C:\\py\\torch\\lib\\fbgemm.dll"', "paste"),
        ),
        "pip lists it: the program ran elsewhere": (
            Distribution("torch", "2.8.0"),
            ErrorMessage("ModuleNotFoundError: No module named 'torch'", "paste"),
        ),
    },
)

"""An older NCCL than PyTorch was built with gets loaded.

## What it does
Hears the loader say that one of NCCL's functions is missing, and compares the installed NCCL wheel with the one that
PyTorch pins.

## Why it matters
`import torch` fails with "undefined symbol: ncclCommRegister" or the like: another package brought an older
`nvidia-nccl` wheel, or conda, the system or LD_PRELOAD offers an older `libnccl.so.2`.

## What to do
Put back the NCCL wheel that PyTorch pins, and take the other library out of the way.

## References
- https://github.com/pytorch/pytorch/issues/119932
- https://github.com/NVIDIA/nccl/issues/1180
- https://github.com/pytorch/pytorch/issues/176829
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Family, Rule
from cudacheck.probes.host.environment import EnvironmentVariables
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.cuda_libraries import LibraryFile
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.probes.patient.torch_import import TorchImport
from cudacheck.rules import _libraries, _messages, _torch

MESSAGES = (r"undefined symbol: (p?nccl[A-Z]\w+)",)


def check(imported: TorchImport | None, facts: Facts) -> Iterator[Finding]:
    match = _torch.in_import(MESSAGES, imported)
    if match:
        yield _finding(match[1], Evidence(_torch.one_line(_torch.failed_import(imported)), "import torch"), facts)


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    if _messages.has_own_words(match):
        yield Finding(match[0])
        return
    yield _finding(match[1], _messages.quote(match, said), facts)


def _finding(symbol: str, evidence: Evidence, facts: Facts) -> Finding:
    pin = _libraries.pinned(facts, "nccl")
    wheels = [Evidence(f"{d.name} {d.version}", d.location or "installed packages") for d in _installed(facts)]
    others = [Evidence(f.path, f.found_via) for f in facts.all(LibraryFile) if f.soname == "libnccl.so.2"]
    wanted = f"; it wants {pin}" if pin else ""
    torch = _torch.spoken(facts.one(TorchBuild))
    return Finding(
        f"the NCCL that gets loaded lacks {symbol}: it is older than {torch} needs{wanted}",
        (evidence, *wheels, *others),
        tuple(_remedies(pin, facts)),
    )


def _installed(facts: Facts) -> list[Distribution]:
    return [d for d in facts.all(Distribution) if re.match(r"(?:nvidia-)?nccl(?:-cu\d\d)?$", d.name)]


def _remedies(pin: str | None, facts: Facts) -> Iterator[Remedy]:
    for name in ("LD_PRELOAD", "LD_LIBRARY_PATH"):
        for environment in facts.all(EnvironmentVariables):
            if environment.values.get(name, "").strip(":"):
                yield remedies.unset_variable(facts, name)
    if pin:
        yield remedies.reinstall_wheels(facts, [pin])
    else:
        yield from _torch.right_build(facts, "install PyTorch again with the NCCL wheel that its metadata names")


SYMBOL = "libtorch_cuda.so: undefined symbol: ncclCommRegister"


RULE = Rule(
    severity=Severity.ERROR,
    layer=Layer.LIBRARIES,
    fix_by=FixBy.ENVIRONMENT,
    joins=(Family.BROKEN_LIBRARIES,),
    explained_by=(
        "torch-shadowed",
        "nvidia-wheels-conflict",
    ),
    check=check,
    heard=heard,
    messages=MESSAGES,
    fires={
        "an older wheel took the place": (
            TorchBuild("2.8.0+cu128", cuda="12.8", nccl_pin="nvidia-nccl-cu12==2.27.3"),
            TorchImport(False, error_type="ImportError", error=SYMBOL),
            Distribution("nvidia-nccl-cu12", "2.18.1"),
        ),
        "only the error text": (ErrorMessage(f"ImportError: /env/torch/lib/{SYMBOL}", "paste"),),
    },
    quiet={
        "a newer NCCL than pinned, and torch imports": (
            TorchBuild("2.8.0+cu128", cuda="12.8", nccl_pin="nvidia-nccl-cu12==2.27.3"),
            TorchImport(True),
            Distribution("nvidia-nccl-cu12", "2.29.7"),
        ),
        "NCCL reports a network error": (
            ErrorMessage("torch.distributed.DistBackendError: NCCL error: unhandled system error", "paste"),
        ),
    },
)

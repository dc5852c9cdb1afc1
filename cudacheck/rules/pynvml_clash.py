"""The outdated package `pynvml` is installed, in place of or beside nvidia-ml-py.

## What it does
Notes `pynvml` below version 12 beside `nvidia-ml-py`: both bring a module of the same name, and the old one wins. Hears
the FutureWarning with which the module, or PyTorch, asks to replace it.

## Why it matters
Programs that expect today's NVML bindings get those of years ago, without newer functions. PyTorch's
`torch.cuda.utilization()` and monitoring tools are what breaks.

## What to do
Remove both and install nvidia-ml-py, which is NVIDIA's own and keeps the module name `pynvml`.

## References
- https://github.com/mlco2/codecarbon/issues/933
- https://github.com/lincc-frameworks/hyrax/issues/778
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudacheck import remedies
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Evidence, Finding, FixBy, Layer, Remedy, Severity
from cudacheck.model.rule import Rule
from cudacheck.probes.messages import ErrorMessage
from cudacheck.probes.patient.distributions import Distribution


def check(_one: Distribution, installed: tuple[Distribution, ...] | None, facts: Facts) -> Iterator[Finding]:
    old = next((d for d in installed or () if d.name == "pynvml" and re.match(r"\d{1,2}\.", d.version)), None)
    new = next((d for d in installed or () if d.name == "nvidia-ml-py"), None)
    # from 12 on, pynvml only wraps nvidia-ml-py
    if old is None or new is None or int(old.version.partition(".")[0]) >= 12:
        return
    yield Finding(
        f"pynvml {old.version} hides the module of nvidia-ml-py {new.version}",
        evidence=tuple(
            Evidence(f"{dist.name} {dist.version}", dist.location or "installed packages") for dist in (old, new)
        ),
        remedies=_remedies(facts),
    )


def heard(match: re.Match[str], said: ErrorMessage, facts: Facts) -> Iterator[Finding]:
    message = "the package pynvml is outdated: nvidia-ml-py took its place"
    yield Finding(message, (), _remedies(facts))


def _remedies(facts: Facts) -> tuple[Remedy, ...]:
    # both go first: removing pynvml takes files along that nvidia-ml-py needs
    gone = [name for name in ("pynvml", "nvidia-ml-py") if any(d.name == name for d in facts.all(Distribution))]
    return (
        remedies.install(facts, ["nvidia-ml-py"], title="replace pynvml by nvidia-ml-py", uninstall=gone or ["pynvml"]),
    )


RULE = Rule(
    severity=Severity.NOTE,
    layer=Layer.ADVICE,
    fix_by=FixBy.ENVIRONMENT,
    check=check,
    heard=heard,
    messages=(r"The pynvml package is deprecated",),
    fires={
        "both installed": (Distribution("pynvml", "11.5.3"), Distribution("nvidia-ml-py", "13.580.82")),
        "the warning": (
            ErrorMessage(
                "FutureWarning: The pynvml package is deprecated. Please install nvidia-ml-py instead.", "ticket.txt"
            ),
        ),
    },
    quiet={
        "nvidia-ml-py alone": (Distribution("nvidia-ml-py", "13.580.82"),),
        "pynvml 12, which wraps it": (Distribution("pynvml", "12.0.0"), Distribution("nvidia-ml-py", "12.575.51")),
        "pynvml alone": (Distribution("pynvml", "11.5.3"),),
        "another package of a low version": (Distribution("wheel", "0.4.1"), Distribution("nvidia-ml-py", "13.580.82")),
        "pynvml of a version that is no number": (
            Distribution("pynvml", "git-abc"),
            Distribution("nvidia-ml-py", "13.580.82"),
        ),
    },
)

"""The machine that a plan is for: described by hand, or what the facts tell."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

from cudacheck import knowledge
from cudacheck.knowledge import GpuModel, as_version
from cudacheck.model.facts import Facts
from cudacheck.model.nearest import hint
from cudacheck.probes.host.nvml import Gpu
from cudacheck.remedies import installers, torch_choice
from cudacheck.remedies.torch_choice import Machine

OPERATING_SYSTEMS = ("linux", "windows", "wsl")
MACHINES = ("x86_64", "aarch64")
MOST_KINDS = 16
"""Of GPUs in one machine."""


class TargetError(ValueError):
    """A machine that cannot be planned for as it was described; the words say why, in one line."""


@dataclasses.dataclass(frozen=True)
class PlannedGpu:
    """One GPU that the plan has to serve."""

    name: str
    """As NVML prints it, or as somebody wrote it; empty where only its capability is known."""
    compute_capability: str | None
    """None where nobody knows it."""

    def __str__(self) -> str:
        if self.name and self.compute_capability:
            return f"{self.name} ({self.compute_capability})"
        return self.name or f"compute capability {self.compute_capability}"


@dataclasses.dataclass(frozen=True)
class Target:
    """A machine, an environment on it, and how things are installed there."""

    machine: Machine
    gpus: tuple[PlannedGpu, ...] = ()
    by_hand: bool = True
    """Described, so nobody saw the driver list these GPUs."""
    installer: str = "pip"
    """What installs packages there: `pip`, `uv`, `conda`, `poetry` or `pixi`."""
    new_environment: bool = False
    """Whether it is for a Python that is not the inspected one."""
    facts: Facts = dataclasses.field(default_factory=Facts, hash=False, compare=False)

    def with_machine(self, **changes: object) -> Target:
        return dataclasses.replace(self, machine=dataclasses.replace(self.machine, **changes))  # type: ignore[arg-type]

    def without(self, left_out: PlannedGpu) -> Target:
        """The same without every GPU of that kind."""
        kept = tuple(gpu for gpu in self.gpus if gpu != left_out)
        return dataclasses.replace(self.with_machine(capabilities=_capabilities(kept)), gpus=kept)

    @property
    def unknown_gpus(self) -> tuple[PlannedGpu, ...]:
        return tuple(gpu for gpu in self.gpus if gpu.compute_capability is None)


def described(
    gpus: Sequence[str] = (),
    driver: str | None = None,
    python: str | None = None,
    os: str | None = None,
    machine: str | None = None,
    glibc: str | None = None,
) -> Target:
    """The machine that these words describe; what is left out is unknown. Raises TargetError.

    >>> described(["V100", "sm_90"], driver="580.95.05").machine.capabilities
    ('7.0', '9.0')
    """
    system, kind = (os or "linux").lower(), (machine or "x86_64").lower()
    if system not in OPERATING_SYSTEMS:
        raise TargetError(f"--os {_cut(os)} is not one of {', '.join(OPERATING_SYSTEMS)}")
    kind = torch_choice.MACHINES.get(kind, kind)
    if kind not in MACHINES:
        raise TargetError(f"--machine {_cut(machine)} is not one of {', '.join(MACHINES)}")
    _check("--driver", driver, r"\d{3}(\.\d{1,4}){0,3}", "580.95.05")
    _check("--python", python, r"[23]\.\d{1,2}(\.\d{1,2})?", "3.12")
    _check("--glibc", glibc, r"2\.\d{1,2}", "2.35")
    found = _bounded(_gpu(text) for text in gpus)
    jetson = any(gpu.compute_capability in JETSON for gpu in found)
    thor = any(gpu.compute_capability == torch_choice.JETSON_WITH_STOCK_BUILDS for gpu in found)
    return Target(
        Machine(
            capabilities=_capabilities(found),
            # a Jetson's drivers are numbered apart within a branch
            driver=driver.partition(".")[0] if driver and (jetson or thor) else driver,
            driver_os="linux" if system == "linux" else "windows",
            os="windows" if system == "windows" else "linux",
            machine=kind,
            python=".".join(python.split(".")[:2]) if python else None,
            glibc=glibc if system != "windows" else None,
            jetson=jetson,
        ),
        found,
    )


JETSON = ("5.3", "6.2", "7.2", "8.7")
"""The integrated GPUs that stock builds do not run on: knowledge/architectures.py."""


def of_facts(facts: Facts) -> Target:
    """The machine that was inspected, or that a paste tells of."""
    machine, seen = torch_choice.machine_of(facts), facts.all(Gpu)
    gpus = tuple(PlannedGpu(gpu.name or "", _capability(gpu)) for gpu in seen)
    told = {gpu.compute_capability for gpu in gpus}
    gpus += tuple(PlannedGpu("", cc) for cc in machine.capabilities if cc not in told)
    installer = installers.environment(facts).installer
    return Target(machine, _bounded(gpus), by_hand=False, installer=installer, facts=facts)


def for_python(target: Target, python: str) -> Target:
    """The inspected machine, with a new environment of this Python (`3.12`). Raises TargetError."""
    _check("--python", python, r"[23]\.\d{1,2}(\.\d{1,2})?", "3.12")
    version = ".".join(python.split(".")[:2])
    if version == target.machine.python:
        return target
    installer = "uv" if target.installer == "uv" else "pip"
    fresh = dataclasses.replace(target, installer=installer, new_environment=True, facts=Facts())
    return fresh.with_machine(python=version, companions=())


def _capability(gpu: Gpu) -> str | None:
    return gpu.compute_capability or knowledge.capability_of(gpu.name or "")


def _capabilities(gpus: Sequence[PlannedGpu]) -> tuple[str, ...]:
    return tuple(sorted({gpu.compute_capability for gpu in gpus if gpu.compute_capability}, key=as_version))


def _bounded(gpus: Iterable[PlannedGpu]) -> tuple[PlannedGpu, ...]:
    """Each kind once."""
    kinds = tuple(dict.fromkeys(gpus))
    if len(kinds) > MOST_KINDS:
        raise TargetError(f"these are {len(kinds)} kinds of GPU: no machine has more than {MOST_KINDS}")
    return kinds


def _check(option: str, value: str | None, pattern: str, example: str) -> None:
    if value is not None and not re.fullmatch(pattern, value, re.ASCII):
        raise TargetError(f"{option} {_cut(value)} is no version such as {example}")


def _gpu(text: str) -> PlannedGpu:
    """`8.9`, `sm_89`, or a name that NVML, a shop or a person uses: `NVIDIA A10G`, `rtx4090`, `H100`."""
    plain = " ".join(text.split())
    if match := re.fullmatch(r"(?:sm_?|compute_)?(1?\d)\.?(\d)", plain, re.IGNORECASE | re.ASCII):
        return PlannedGpu("", f"{match[1]}.{match[2]}")
    if found := knowledge.gpu_called(plain):
        name, capability = found
        return PlannedGpu(_as_nvml_prints(name) or plain, capability)
    if several := knowledge.models_called(plain):
        raise TargetError(f"{_cut(plain)} is more than one GPU: {_listed(several)}")
    raise TargetError(f"no GPU called {_cut(plain)} is known{_near(plain)}; give its compute capability, such as 8.9")


MOST_MODELS = 4


def _listed(models: Sequence[GpuModel]) -> str:
    named = [f"{model.names[0]} ({model.compute_capability})" for model in models]
    return ", ".join(named[:MOST_MODELS]) + (f" and {len(named) - MOST_MODELS} more" if named[MOST_MODELS:] else "")


def _as_nvml_prints(name: str) -> str | None:
    """A model's own name in its own letters; None for one without a datasheet here."""
    model, wanted = knowledge.gpu(name), name.lower().removeprefix("nvidia ")
    return next((known for known in (model.names if model else ()) if known.lower().endswith(wanted)), None)


def _near(name: str) -> str:
    return hint(name, (known for model in knowledge.gpu_models() for known in model.names), least=0.7)


def _cut(text: str | None) -> str:
    return repr((text or "")[:60])

"""The first line of a report: ready, ready but, not proven, or what is broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cudacheck.judging import understood
from cudacheck.judging.questions import undecided
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Severity, Unchecked, cut
from cudacheck.model.report import Axis, Health, Outcome, ProbeRun, State, Verdict
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.nvml import Gpu, Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.bench_kernels import BenchPlan
from cudacheck.probes.patient.kernels import KernelRun
from cudacheck.probes.patient.torch_cuda import TorchCuda, TorchDevice
from cudacheck.probes.patient.torch_files import TorchBuild
from cudacheck.registry import probes

MAX_HEADLINE = 2000
"""It names what strangers named: GPUs, versions."""
MAX_REASON = 300
MOST_SAID = 200
"""Axes of GPUs in the JSON."""
MOST_AXES = 2
"""That the first line names; more of them are the speed."""


def interrupted(facts: Facts) -> bool:
    """Whether Ctrl-C, or a signal like it, cut the inspection short."""
    return any(run.outcome is Outcome.SKIPPED and run.cut_short for run in facts.all(ProbeRun))


def verdict(
    facts: Facts, findings: Sequence[Finding], unchecked: Sequence[Unchecked], speed: Sequence[Axis] = ()
) -> Verdict:
    """What the findings, and what was really seen to run, add up to."""
    whole = dataclasses.replace(_verdict(facts, findings, unchecked, speed), not_judged=_not_judged(speed))
    whole = dataclasses.replace(whole, headline=cut(whole.headline, MAX_HEADLINE))
    if not interrupted(facts) or whole.state is State.BROKEN:
        return whole
    return dataclasses.replace(whole, state=State.NOT_PROVEN, headline=f"interrupted; {whole.headline}")


def _verdict(
    facts: Facts, findings: Sequence[Finding], unchecked: Sequence[Unchecked], speed: Sequence[Axis]
) -> Verdict:
    roots = [f for f in findings if f.caused_by is None]
    errors = [f for f in roots if f.severity is Severity.ERROR]
    if errors:
        return Verdict(State.BROKEN, errors[0].message)
    warnings = [f for f in roots if f.severity is Severity.WARNING]
    if facts.one(Patient) is None:
        if warnings:
            return Verdict(State.NOT_PROVEN, f"no error in what this says, but {warnings[0].message}")
        if not understood.counted(facts):
            return Verdict(State.NOT_PROVEN, _nothing(facts))
        cuda = facts.one(TorchCuda)
        silent = cuda is not None and not cuda.available
        system = facts.one(System)
        look = "run `cudacheck doctor` there" if system is None or system.os == "linux" else "run `nvidia-smi` there"
        riddle = f", and it does not say why PyTorch finds no GPU: {look}" if silent else ""
        if not riddle and (said := undecided(facts)):
            return Verdict(
                State.NOT_PROVEN, f"cannot tell what is behind `{cut(said, MAX_REASON)}`: it has several causes"
            )
        return Verdict(State.NOT_PROVEN, f"no fault in what this says{riddle}")
    doubts = [*unproven(facts, unchecked), *_speed_unproven(facts, speed)]
    if doubts:
        found = f"no error found, but {warnings[0].message}; not proven" if warnings else "no fault found, not proven"
        return Verdict(State.NOT_PROVEN, f"{found}: {'; '.join(doubts)}")
    doubt = _speed_in_doubt(speed)
    if warnings:
        also = f"; {doubt.partition(':')[0]}" if doubt else ""
        return Verdict(State.READY_BUT, f"ready, but {warnings[0].message}{also}")
    return Verdict(State.READY, f"ready; {doubt}" if doubt else f"ready: {_what_runs(facts)} run together")


def _nothing(facts: Facts) -> str:
    unheard = understood.unheard(facts)
    named = f": no rule knows the message `{unheard}`" if unheard else ""
    return f"nothing about CUDA, PyTorch or a GPU was understood in this{named}"


def unproven(facts: Facts, unchecked: Sequence[Unchecked]) -> list[str]:
    """Why the machine is not proven ready, most telling first; empty when it is."""
    doubts = []
    devices = facts.all(TorchDevice)
    ran = {run.device_index for run in facts.all(KernelRun) if run.ok}
    idle = [device for device in devices if device.index not in ran]
    if not devices:
        doubts.append("no kernel ran on a GPU")
    elif idle:
        doubts.append("no kernel ran on " + ", ".join(f"GPU {d.index} ({d.name})" for d in idle))
    # A probe without facts of its own (the kernel log, which few users may read) only adds words to what others find.
    asked = {probe.name for probe in probes() if probe.facts}
    for run in facts.all(ProbeRun):
        if run.outcome is Outcome.SKIPPED and devices and run.probe in asked:
            doubts.append(f"{run.probe} was skipped ({run.detail})")
        elif run.outcome not in {Outcome.OK, Outcome.SKIPPED}:
            doubts.append(f"{run.probe} {run.outcome}")
    if unchecked and not doubts:
        doubts.append(f"{len(unchecked)} rule{'s' * (len(unchecked) > 1)} unchecked ({unchecked[0].reason})")
    return [*dict.fromkeys(doubts)]  # a probe may run several times


def _speed_unproven(facts: Facts, speed: Sequence[Axis]) -> list[str]:
    """Only where the speed was what was asked for: a busy GPU is no doubt about the environment."""
    if facts.one(BenchPlan) is None:
        return []
    doubtful = {axis.device_index: axis for axis in reversed(_inconclusive(speed))}
    return [f"the {a.axis} of GPU {i} is inconclusive ({a.reasons[0]})" for i, a in sorted(doubtful.items())]


def _inconclusive(speed: Sequence[Axis]) -> list[Axis]:
    return [axis for axis in speed if axis.health is Health.INCONCLUSIVE]


def _not_judged(speed: Sequence[Axis]) -> tuple[str, ...]:
    said = (f"{a.axis} of GPU {a.device_index}: {next(iter(a.reasons), '')}" for a in _inconclusive(speed)[:MOST_SAID])
    return tuple(cut(line, MAX_REASON) for line in said)


def _speed_in_doubt(speed: Sequence[Axis]) -> str:
    """`speed not judged: CUDA_LAUNCH_BLOCKING is set`; empty where every axis has its verdict."""
    doubtful = _inconclusive(speed)
    if not doubtful:
        return ""
    names = [*dict.fromkeys(axis.axis for axis in doubtful)]
    sure = {axis.axis for axis in speed if axis not in doubtful} - {"correctness"}
    what = " and ".join(names) if sure and len(names) <= MOST_AXES else "speed"
    reason = next((axis.reasons[0] for axis in doubtful if axis.reasons), "no reason told")
    return f"{what} not judged: {reason.partition(':')[0]}"


def _what_runs(facts: Facts) -> str:
    names = [device.name for device in facts.all(TorchDevice)] or [g.name or "a GPU" for g in facts.all(Gpu)]
    gpus = names[0] if len(names) == 1 else f"{len(names)} × {names[0]}"
    if len(set(names)) > 1:
        gpus = " and ".join(dict.fromkeys(names))
    nvml, torch = facts.one(Nvml), facts.one(TorchBuild)
    driver = f", driver {nvml.driver_version}" if nvml and nvml.driver_version else ""
    return f"{gpus}{driver}, torch {torch.version if torch else '?'}"

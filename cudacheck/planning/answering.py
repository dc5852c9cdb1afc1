"""Puts a plan together: the choice, why it is the one, what ruled out the rest, what else there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cudacheck import knowledge
from cudacheck.knowledge import Build, as_version
from cudacheck.planning import advising, changes, choosing, emitting, packages, pools
from cudacheck.planning.answer import Alternative, Chosen, InstallPlan, PlannedFor, Remark, RuledOut, Why
from cudacheck.planning.emitting import CONDA_TOOLS
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import PARTNERS, Wish
from cudacheck.remedies import flash_attn_choice, installers, torch_choice
from cudacheck.remedies.torch_choice import Choice


def plan(target: Target, wanted: Wish | None = None, tool: str | None = None) -> InstallPlan:
    """What to install on this machine, written for a tool: one of `TOOLS`, else what installs there.

    Raises MissingExtraError where writing that takes a package that is not installed, EmitError where the tool cannot
    say it.
    """
    asked, tool = wanted or Wish(), tool or target.installer
    channel = pools.CONDA_FORGE if tool in CONDA_TOOLS else None
    target = emitting.prepared(target, tool)
    chosen = choosing.best(target, asked, channel)
    unknown = tuple(_unknown(target, asked, chosen))
    known_gpus = bool(target.machine.capabilities) and not target.unknown_gpus
    return InstallPlan(
        choice=emitting.written(_chosen(chosen, target, asked), chosen, target, asked, tool) if chosen else None,
        machine=_planned_for(target),
        requirements=tuple(str(requirement) for _, requirement in asked.packages),
        why=tuple(_why(chosen, target, asked)) if chosen else (),
        ruled_out=tuple(_ruled_out(chosen, target, asked, channel)) if known_gpus else (),
        alternatives=tuple(_alternatives(chosen, target, asked, channel) if known_gpus else _by_gpu(target, asked)),
        cannot_tell=unknown,
        advice=tuple(_advice(chosen, target, asked)),
        knowledge_date=knowledge.as_of(),
    )


def _advice(chosen: Choice | None, target: Target, wanted: Wish) -> Iterator[Remark]:
    if chosen:
        yield from advising.advice(chosen, target, wanted)
    else:
        yield from advising.on_jetson(target)
    yield from advising.on_wishes(wanted)


def _planned_for(target: Target) -> PlannedFor:
    machine = target.machine
    wsl = machine.os == "linux" and machine.driver_os == "windows"
    return PlannedFor(
        gpus=tuple(map(str, target.gpus)),
        compute_capabilities=machine.capabilities,
        driver=machine.driver,
        os="wsl" if wsl else machine.os,
        machine=machine.machine,
        python=machine.python,
        glibc=machine.glibc,
    )


def _chosen(choice: Choice, target: Target, wanted: Wish) -> Chosen:
    partners = {name: choosing.partner_version(choice, name) for name in choice.companions}
    wheel = None
    if wanted.flash_attn:
        wheel, _ = flash_attn_choice.wheel_for(target.machine, choice.release.version, choice.build.cuda)
    found = packages.chosen(choice, target.machine, wanted)
    extra = {name: release.version if release else "" for name, release in found.items()}
    return Chosen(
        torch=choice.release.version,
        tag=choice.build.tag,
        index=_index(choice.build),
        torchvision=partners.get("torchvision"),
        torchaudio=partners.get("torchaudio"),
        flash_attn=wheel,
        python=target.machine.python,
        pythons=choice.release.pythons,
        packages=extra,
        channel=choice.build.channel or None,
    )


def _index(build: Build) -> str | None:
    return installers.index_url(build.tag) if build.index else None


def _unknown(target: Target, wanted: Wish, chosen: Choice | None) -> Iterator[str]:
    machine = target.machine
    for gpu in target.unknown_gpus:
        yield f"what compute capability {gpu} has"
    if not target.gpus and not machine.capabilities:
        yield "which GPU it is for: no NVIDIA GPU is seen here or described (--gpu NAME)"
    for capability in machine.capabilities:
        if _is_newer_than_all(capability, target):
            yield f"whether a newer PyTorch has kernels for compute capability {capability}"
    if machine.jetson and chosen is None:
        yield "which wheel fits this JetPack: no index of PyTorch has one with kernels for a Jetson before Thor"
    if chosen:
        found = packages.chosen(chosen, machine, wanted)
        pinned = [f"{name} {release.version}" for name, release in found.items() if release]
        if len(pinned) > 1:
            yield f"whether {' and '.join(pinned)} accept each other: what they ask of PyTorch is all that is known"
    if chosen and machine.driver is None:
        oldest = torch_choice.oldest_driver(chosen.build.cuda, machine)
        yield f"which driver is there: this build needs {oldest} or newer"


def _is_newer_than_all(capability: str, target: Target) -> bool:
    """Whether no build that is known runs on it, because it came after them all."""
    archs = {arch for c in pools.pool(target.machine, None) for arch in c.build.archs}
    return not knowledge.covers(tuple(archs), capability) and knowledge.gap(tuple(archs), capability) == "too-new"


def _why(choice: Choice, target: Target, wanted: Wish) -> Iterator[Why]:
    build, machine = choice.build, target.machine
    for gpu in target.gpus:
        if capability := gpu.compute_capability:
            arch = next(arch for arch in build.archs if knowledge.covers([arch], capability))
            yield Why("gpu", f"{gpu}: the build holds {arch}", build.source)
    yield from _driver_why(build, target)
    pythons = f"{choice.release.pythons[0]} to {choice.release.pythons[-1]}"
    yield Why("python", f"it has wheels for Python {pythons}", choice.release.source)
    if build.glibc:
        this = f", this is {machine.glibc}" if machine.glibc else ""
        yield Why("glibc", f"its wheel needs glibc {build.glibc}{this}", build.source)
    for name in choice.companions:
        yield Why("partner", f"{name} {choosing.partner_version(choice, name)} belongs to it", choice.release.source)
    for name, release in packages.chosen(choice, machine, wanted).items():
        yield Why("requirement", packages.says(name, release, choice), release.source if release else "")


def _driver_why(build: Build, target: Target) -> Iterator[Why]:
    machine, major = target.machine, build.cuda.partition(".")[0]
    minimum = knowledge.minimum_driver(build.cuda, machine.driver_os)
    this = f", this is {machine.driver}" if machine.driver else ""
    says = f"CUDA {major} needs driver {minimum} or newer{this}"
    yield Why("driver", says, knowledge.minimum_driver_source(build.cuda))
    for capability in machine.capabilities:
        first = knowledge.first_driver(capability, machine.driver_os)
        if first and minimum and not knowledge.driver_at_least(minimum, first):
            says = f"compute capability {capability} begins with driver {first}"
            yield Why("driver", says, knowledge.first_driver_source(capability))


def _ruled_out(chosen: Choice | None, target: Target, wanted: Wish, channel: str | None) -> Iterator[RuledOut]:
    """Every build of the chosen release and of newer ones that cannot be taken; the newest first."""
    least = as_version(chosen.release.version) if chosen else ()
    found = [*_barred(target, wanted, channel), *(_unverified(target) if channel is None else ())]
    found = [row for row in found if as_version(row.torch) >= least and not (chosen and _same(row, chosen))]
    yield from sorted(found, key=lambda row: (as_version(row.torch), as_version(row.tag)), reverse=True)


def _same(row: RuledOut, chosen: Choice) -> bool:
    return (row.torch, row.tag) == (chosen.release.version, chosen.build.tag)


def _barred(target: Target, wanted: Wish, channel: str | None) -> Iterator[RuledOut]:
    asking = choosing.asking_for(target, wanted).machine
    for choice in pools.pool(target.machine, channel):
        reason = next(choosing.reasons(choice, target, wanted), None)
        version, tag = choice.release.version, choice.build.tag
        if reason:
            yield RuledOut(version, tag, reason.by, reason.reason, reason.source)
            continue
        lacking = [name for name in PARTNERS if name in asking.companions and not _has(choice, name, target)]
        if lacking:
            yield RuledOut(
                version, tag, "partner", f"no {' and no '.join(lacking)} is known for it", choice.release.source
            )


def _has(choice: Choice, name: str, target: Target) -> bool:
    return torch_choice.with_companions(choice, (name,), target.machine) is not None


def _unverified(target: Target) -> Iterator[RuledOut]:
    for release, build in pools.unverified(target.machine):
        yield RuledOut(
            release.version, build.tag, "unverified", "that it exists, and for what, is not certain", build.source
        )


def _alternatives(chosen: Choice | None, target: Target, wanted: Wish, channel: str | None) -> Iterator[Alternative]:
    others = _runners_up(chosen, target, wanted, channel) if chosen else []
    for choice in others:
        yield _alternative("runner-up", "", choice, _why_not_first(choice, target))
    for other in changes.bought(target, wanted, channel, chosen):
        if other.by == "driver" or not any(not choosing.newer(other.choice, c) for c in others):
            yield _alternative(other.by, other.says, other.choice)


def _runners_up(chosen: Choice, target: Target, wanted: Wish, channel: str | None) -> list[Choice]:
    """The builds that fit as well: of those that are newer than the choice the newest by CUDA, else the next best."""
    others = [c for c in choosing.fitting(target, wanted, channel) if choosing.order(c) != choosing.order(chosen)]
    others.sort(key=choosing.order, reverse=True)
    newer = {c.build.tag: c for c in reversed(others) if choosing.newer(c, chosen)}
    return sorted(newer.values(), key=choosing.order, reverse=True) or others[:1]


def _why_not_first(choice: Choice, target: Target) -> str:
    if choice.build.experimental:
        return "a line that PyTorch publishes beside its main ones, as experimental"
    if target.machine.driver is None:
        return f"needs driver {torch_choice.oldest_driver(choice.build.cuda, target.machine)} or newer"
    return ""


def _alternative(by: str, change: str, choice: Choice, note: str = "") -> Alternative:
    partners = {name: choosing.partner_version(choice, name) for name in choice.companions}
    return Alternative(
        by,  # type: ignore[arg-type]
        change,
        choice.release.version,
        choice.build.tag,
        _index(choice.build),
        partners.get("torchvision"),
        partners.get("torchaudio"),
        note,
    )


def _by_gpu(target: Target, wanted: Wish) -> Iterator[Alternative]:
    """Where nobody knows the GPU: the choice for each generation, those with the same choice together."""
    spans: dict[Choice, list[str]] = {}
    for capability in knowledge.capabilities():
        guessed = dataclasses.replace(target.with_machine(capabilities=(capability,)), gpus=())
        if choice := choosing.best(guessed, wanted):
            spans.setdefault(choice, []).append(capability)
    for choice, span in sorted(spans.items(), key=lambda pair: choosing.order(pair[0]), reverse=True):
        yield _alternative("gpu", f"for compute capability {', '.join(span)}", choice)

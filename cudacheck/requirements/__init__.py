"""What a machine must fulfil: one file is one thing that may be required; any other name is a package's. Pure."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from cudacheck.model import unknown
from cudacheck.model.declared import declared, modules_of
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Gap, cut
from cudacheck.model.nearest import hint
from cudacheck.model.report import Fulfilment, RequirementResult
from cudacheck.probes import told_by
from cudacheck.probes.chosen import Required
from cudacheck.probes.patient._libraries import is_driver_library
from cudacheck.probes.patient.loaded_libraries import LoadedLibrary
from cudacheck.requirements._library import library
from cudacheck.requirements._package import package
from cudacheck.requirements._remedies import look_again
from cudacheck.requirements._requirement import AbsentError, Requirement, Seen, UnknownError, Wanted

__all__ = [
    "Checked",
    "SpecError",
    "cases",
    "checked",
    "look_again",
    "of_a_machine_like",
    "packages",
    "requirements",
    "understood",
]

LONGEST = 200
"""Characters of one requirement."""
MOST_NAMED = 4
"""GPUs in one message."""
_FORM = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*((?:[<>=!~].*)?)")
_SONAME = re.compile(r"lib[\w.+-]+\.so(\.\d+)*")


class SpecError(ValueError):
    """A requirement that is none; the words say why, in one line."""


@dataclasses.dataclass(frozen=True)
class Checked:
    """One requirement of one machine, checked."""

    required: Required
    spec: str
    state: Fulfilment
    said: str
    """What there is, or why nobody could tell."""
    seen: tuple[Seen, ...] = ()
    """What decided."""
    requirement: Requirement | None = None
    """None where it could not be understood."""
    wanted: Wanted | None = None
    unfinished: bool = False
    """Nobody could tell because a probe did not come to its end."""

    @property
    def result(self) -> RequirementResult:
        return RequirementResult(self.spec, self.state, cut(self.said, 1000), self.required.found_in)


@lru_cache
def requirements() -> dict[str, Requirement]:
    """All that are declared, by the name of the file with dashes."""
    modules = modules_of(sys.modules[__name__])
    return {
        module.__name__.rpartition(".")[2].replace("_", "-"): declared(module, "REQUIREMENT", Requirement)
        for module in modules
    }


def understood(spec: str) -> tuple[Requirement, Wanted]:
    """What a specification asks for. Raises SpecError."""
    match = _FORM.fullmatch(spec) if len(spec) <= LONGEST and spec.isprintable() else None
    if match is None:
        raise SpecError(f"{cut(spec, 60)!r} is no requirement: a name, and what it is compared with: torch>=2.7")
    is_library = _SONAME.fullmatch(match[1])
    name = match[1] if is_library else re.sub(r"[-_.]+", "-", match[1]).lower()
    clauses = "".join(part.strip() for part in re.split(r"([<>=!~,]+)", match[2]))
    requirement = library(name) if is_library else requirements().get(name) or package(name)
    try:
        return requirement, Wanted(name, clauses, requirement.compare(clauses))
    except ValueError as error:
        raise SpecError(f"{cut(spec, 60)!r}: {error}{_nearest(name)}") from None


def _nearest(name: str) -> str:
    """A hint for a name that nearly is one of ours."""
    return "" if name in requirements() else hint(name, requirements(), least=0.75)


def cases(specs: Iterable[str]) -> tuple[str, ...]:
    """The cases that the doctor's benchmark must measure with care."""
    return tuple(dict.fromkeys(case for case in (understood(spec)[0].case for spec in specs) if case))


def packages(specs: Iterable[str]) -> tuple[str, ...]:
    """The distributions that must be looked for by name."""
    names = (understood(spec)[1].name for spec in specs)
    return tuple(dict.fromkeys(n for n in names if n not in requirements() and not _SONAME.fullmatch(n)))


def of_a_machine_like(facts: Facts) -> tuple[str, ...]:
    """What another machine must fulfil to be like this one: the driver's branch, PyTorch's build, the libraries that it
    mapped, the GPUs, their speed less what is noise. Only what this one surely fulfils itself.
    """
    wanted = [f"{name}{requirement.alike(seen)}" for name, requirement, seen in _seen_on(facts) if requirement.alike]
    libraries = {one.soname: one.version for one in facts.all(LoadedLibrary) if one.version}
    wanted += [f"{soname}=={version}" for soname, version in libraries.items() if not is_driver_library(soname)]
    asked = [_checked(Required(spec), facts) for spec in wanted]
    return tuple(check.spec for check in asked if check.state is Fulfilment.FULFILLED)


def _seen_on(facts: Facts) -> Iterator[tuple[str, Requirement, Sequence[Seen]]]:
    for name, requirement in requirements().items():
        try:
            if requirement.alike and (seen := requirement.look(facts)):
                yield name, requirement, seen
        except (AbsentError, UnknownError):
            continue


def checked(facts: Facts) -> tuple[Checked, ...]:
    """Every requirement among the facts, each once. One that cannot be checked, whatever the reason, is unchecked."""
    asked = {required.spec: required for required in reversed(facts.all(Required))}
    return tuple(_checked(required, facts) for required in reversed(asked.values()))


def _checked(required: Required, facts: Facts) -> Checked:
    try:
        requirement, wanted = understood(required.spec)
    except SpecError as error:
        return Checked(required, required.spec, Fulfilment.UNCHECKED, str(error))
    whole = Checked(required, wanted.spec, Fulfilment.UNCHECKED, "", (), requirement, wanted)
    try:
        seen = tuple(requirement.look(facts))
        unmet = [one for one in seen if not one.unsure and not wanted.holds(one.value)]
    except AbsentError as error:
        return dataclasses.replace(whole, state=Fulfilment.UNMET, said=f"{error}{_nearest(wanted.name)}")
    except UnknownError as error:
        said, gap = _why_unknown(error.what, facts)
        return dataclasses.replace(whole, said=said, unfinished=gap is Gap.UNFINISHED)
    except Exception as error:  # a fault of ours, or a value that is none: no pass in any case
        return dataclasses.replace(whole, said=str(error) or type(error).__name__)
    return dataclasses.replace(whole, **_decided(seen, unmet))


def _decided(seen: Sequence[Seen], unmet: Sequence[Seen]) -> dict[str, Any]:
    """What is surely unmet outranks what is in doubt."""
    if convicts := tuple(one for one in unmet if not one.unsure_if_unmet):
        return {"state": Fulfilment.UNMET, "said": _named(one.said for one in convicts), "seen": convicts}
    if doubtful := tuple(one for one in seen if one.unsure or one in unmet):
        reasons = (f"{one.said}; {one.unsure or one.unsure_if_unmet}" for one in doubtful)
        return {"said": _named(reasons), "seen": doubtful}
    if not seen:
        return {"said": "nothing was found that could fulfil it"}
    return {"state": Fulfilment.FULFILLED, "said": _named(one.said for one in seen), "seen": tuple(seen)}


def _named(said: Iterable[str]) -> str:
    every = [*dict.fromkeys(said)]
    more = f", and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more


def _why_unknown(what: type | str, facts: Facts) -> tuple[str, Gap | None]:
    if isinstance(what, str):
        return what, None
    said, gap, _ = unknown.why(facts, what, told_by(what))
    return "what was given does not say it" if gap is Gap.NOT_SAID else said, gap

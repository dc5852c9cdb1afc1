"""Every module in probes/ and rules/ is one: this finds them, in order, and wraps each as a Probe or a Rule."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any

from cudacheck import probes as probes_package
from cudacheck.probes import host, target


def fact_types_of(module: types.ModuleType) -> tuple[type, ...]:
    """The dataclasses that a probe module defines: they are what it yields."""
    return tuple(
        value
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    )


@dataclasses.dataclass(frozen=True)
class Probe:
    """One question to the machine: a module of probes/host or probes/target."""

    name: str
    child: str
    """`host` or `target`: which interpreter asks."""
    timeout_s: float
    after: tuple[str, ...]
    fact_types: tuple[type, ...]
    on_request: bool = False
    """It runs only where a command asks for it by name."""
    instead_of: tuple[str, ...] = ()
    """The probes that it stands in for where it runs."""
    per_fact: bool = False
    """Its limit is counted anew from every fact that it tells."""


def _load_probes(package: types.ModuleType, child: str) -> list[Probe]:
    found = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.append(
            Probe(
                name=info.name,
                child=child,
                timeout_s=module.TIMEOUT_S,
                after=getattr(module, "AFTER", ()),
                fact_types=(*fact_types_of(module), *getattr(module, "YIELDS", ())),
                on_request=getattr(module, "ON_REQUEST", False),
                instead_of=getattr(module, "INSTEAD_OF", ()),
                per_fact=getattr(module, "PER_FACT", False),
            )
        )
    return found


@lru_cache
def probes() -> tuple[Probe, ...]:
    """All probes in the order in which each child runs them.

    A probe comes after those it names in AFTER; among the rest, what is soonest given up on goes first,
    so that the cheap facts are in before anything can hang.
    """
    ordered: list[Probe] = []
    waiting = sorted(
        [*_load_probes(host, "host"), *_load_probes(target, "target")], key=lambda p: (p.timeout_s, p.name)
    )
    while waiting:
        done = {probe.name for probe in ordered}
        ready = next(probe for probe in waiting if done.issuperset(probe.after))
        waiting.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


@lru_cache
def fact_types() -> dict[str, type]:
    """Every fact type by its name, which is also its key in a report."""
    from cudacheck.speed.baseline import Baseline
    from cudacheck.target import Target

    found: dict[str, type] = {"Target": Target, "Baseline": Baseline}
    shared = importlib.import_module(f"{probes_package.__name__}.messages")
    for fact_type in fact_types_of(shared):
        found[fact_type.__name__] = fact_type
    for probe in probes():
        for fact_type in probe.fact_types:
            if found.setdefault(fact_type.__name__, fact_type) is not fact_type:
                raise TypeError(f"two fact types are called {fact_type.__name__}")
    return found


@lru_cache
def probe_of(fact_type: type) -> Probe | None:
    """The probe that yields facts of this type; None for those that no probe owns (what was typed, what was said)."""
    return next((probe for probe in probes() if fact_type in probe.fact_types), None)


@dataclasses.dataclass(frozen=True)
class Need:
    """One parameter of a rule's `check`: which facts it takes, and how."""

    fact_type: type
    """`Facts` itself for the whole bag."""
    many: bool
    optional: bool


@dataclasses.dataclass(frozen=True)
class Rule:
    """One fault and how to tell: a module of rules/."""

    id: str
    """The file's name with dashes; also the docs page and the token of --ignore."""
    module: types.ModuleType

    @property
    def severity(self) -> Any:
        return self.module.SEVERITY

    @property
    def layer(self) -> Any:
        """Where in the stack the fault sits: the deeper, the earlier it is printed."""
        return self.module.LAYER

    @property
    def explained_by(self) -> tuple[str, ...]:
        """The rules whose finding makes this one's a mere consequence."""
        return getattr(self.module, "EXPLAINED_BY", ())

    @property
    def timed(self) -> tuple[str, ...]:
        """The cases whose timing convicts: measured again, in a fresh process, before the finding is told."""
        return getattr(self.module, "TIMED", ())

    @property
    def messages(self) -> tuple[str, ...]:
        """Regular expressions of the messages with which software announces this fault."""
        return getattr(self.module, "MESSAGES", ())

    @property
    def check(self) -> Callable[..., Iterator[Any]] | None:
        return getattr(self.module, "check", None)

    @property
    def heard(self) -> Callable[..., Iterator[Any]] | None:
        return getattr(self.module, "heard", None)

    @property
    def title(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")

    @property
    def doc(self) -> str:
        return (self.module.__doc__ or "").strip()

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What `check` asks for, read from its annotations."""
        return needs_of(self.check) if self.check else ()


def needs_of(function: Callable[..., Any]) -> tuple[Need, ...]:
    """The facts that a function's annotations name.

    `X` is one, `X | None` one if there is, `tuple[X, ...]` all of a complete list, `tuple[X, ...] | None` all that
    are known of, and `Facts` the whole bag, of which a rule is never unchecked.
    """
    needs = []
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    for hint in hints.values():
        arguments = typing.get_args(hint)
        if typing.get_origin(hint) is tuple:
            needs.append(Need(arguments[0], many=True, optional=False))
        elif types.NoneType in arguments:
            inner = next(a for a in arguments if a is not types.NoneType)
            many = typing.get_origin(inner) is tuple
            needs.append(Need(typing.get_args(inner)[0] if many else inner, many=many, optional=True))
        else:
            needs.append(Need(hint, many=False, optional=False))
    return tuple(needs)


@lru_cache
def rules() -> tuple[Rule, ...]:
    """All rules, deepest layer first: the order in which root causes are printed."""
    from cudacheck import rules as package

    found = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.append(Rule(info.name.replace("_", "-"), module))
    return tuple(sorted(found, key=lambda rule: (rule.layer, rule.id)))


def rule(rule_id: str) -> Rule | None:
    return next((rule for rule in rules() if rule.id == rule_id), None)

"""A lint rule, its examples and what it finds: values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from cudacheck.lint.facts import Place, Recipe
from cudacheck.model.declared import declared, modules_of
from cudacheck.model.findings import Severity
from cudacheck.remedies.torch_choice import Machine


@dataclasses.dataclass(frozen=True)
class Edit:
    """Text that replaces what stands at a place: mechanical, and certain to be what was meant."""

    place: Place
    text: str


@dataclasses.dataclass(frozen=True)
class LintFinding:
    """One line of a recipe that cannot work, or works slowly."""

    message: str
    place: Place
    instead: str = ""
    """What to write instead, apart from prose; empty where only advice can be given."""
    edits: tuple[Edit, ...] = ()
    """What `--fix` writes; empty where it is not certain."""
    severity: Severity | None = None
    """None: the rule's own."""
    explains: tuple[Place, ...] = ()
    """Places where this is the cause of what else may be found, by rules that name its own in `explained_by`."""
    rule: str = ""
    path: str = ""


@dataclasses.dataclass(frozen=True)
class Example:
    """A recipe, small and whole: what is written, and in which file."""

    text: str
    file: str = "recipe.sh"
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Files that lie beside it."""
    machine: Machine | None = None


@dataclasses.dataclass(frozen=True)
class LintRule:
    """One fault of recipes and how to tell: the value RULE of a module of rules/."""

    severity: Severity
    check: Callable[[Recipe], Iterator[LintFinding]]
    finds: Mapping[str, Example]
    quiet: Mapping[str, Example]
    explained_by: tuple[str, ...] = ()
    """Rules whose remedy mends this one's line as well, at the places that their finding explains."""

    def __post_init__(self) -> None:
        if not self.finds or not self.quiet:
            raise TypeError("a rule shows what it finds and what it leaves alone")


@dataclasses.dataclass(frozen=True)
class NamedRule:
    """A rule with its id (the file's name with dashes) and its page (the module's docstring)."""

    id: str
    doc: str
    rule: LintRule

    @property
    def title(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")

    @property
    def references(self) -> tuple[str, ...]:
        listed = self.doc.partition("## References")[2].splitlines()
        return tuple(line.removeprefix("- ").strip() for line in listed if line.startswith("- "))


@lru_cache
def rules() -> tuple[NamedRule, ...]:
    """All rules, by name."""
    from cudacheck.lint import rules as package

    found = []
    for module in modules_of(package):
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        found.append(NamedRule(name, (module.__doc__ or "").strip(), declared(module, "RULE", LintRule)))
    return tuple(found)

"""What a rule declares of itself: one typed value at the end of its file."""

from __future__ import annotations

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, FixBy, Layer, Severity

Example = tuple[object, ...]
"""The facts of a machine, or of a paste."""


class Family(enum.StrEnum):
    """Causes with the same consequences. A rule joins one in its own file; a consequence names the family.

    So a new root cause touches no other file.
    """

    NO_DRIVER = "no-driver"
    """Nothing talks to a GPU: there is none, or its driver does not answer."""
    NO_KERNEL_MODULE = "no-kernel-module"
    """The driver's module does not run; of these even `driver-not-loaded` is a consequence."""
    NO_CUDA = "no-cuda"
    """The driver answers, and CUDA does not start."""
    BROKEN_HARDWARE = "broken-hardware"
    NO_CUDA_BUILD = "no-cuda-build"
    """The PyTorch that is imported was not built for CUDA, or is not the one installed."""
    WRONG_KERNELS = "wrong-kernels"
    """The installed PyTorch holds no kernels for this GPU."""
    BROKEN_LIBRARIES = "broken-libraries"
    HELD_BACK = "held-back"
    """The GPU computes, and something takes from its speed."""


@dataclasses.dataclass(frozen=True)
class Apart(Finding):
    """A finding that stands by itself beside others of its rule, each with causes of its own."""

    explained_by: tuple[str | Family, ...] = ()


@dataclasses.dataclass(frozen=True)
class Need:
    """One parameter of a rule's `check`: which facts it takes, and how."""

    fact_type: type
    """`Facts` itself for the whole bag."""
    many: bool
    optional: bool


class Missing(Exception):  # noqa: N818 - an answer, not an error
    """A fact that a rule needs is not to be had. `unknown` is the type nobody could tell; None: there is none.

    Raised for what `check` asks for by its annotations, and by a check that can do without it only at times.
    """

    def __init__(self, unknown: type | None) -> None:
        super().__init__()
        self.unknown = unknown


@dataclasses.dataclass(frozen=True)
class Ask:
    """What would make a rule sure, where a paste leaves the cause open. How to find out, the fact's probe declares."""

    fact: type
    says: str
    """How this fault looks in the answer: `no line`."""
    answer: str
    """What the command prints then. Read beside such a paste, the answers to all that a rule asks make it the root."""
    field: str = ""
    """Of the fact, where that itself may be known without it: why CUDA is not available."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault and how to tell. A field that is not there is a type error, and ends the import."""

    severity: Severity
    layer: Layer
    """Where in the stack the fault sits: the deeper, the earlier it is printed."""
    fix_by: FixBy
    """Who can mend it."""
    fires: Mapping[str, Example]
    """Named facts on which it must speak, and
    those on which it must not: its tests, and the examples on its page."""
    quiet: Mapping[str, Example]
    check: Callable[..., Iterator[Finding]] | None = None
    """Facts in, findings out; its annotations name the facts."""
    heard: Callable[..., Iterator[Finding]] | None = None
    """What it makes of a message in which software announces this very fault: (match, said, facts)."""
    messages: tuple[str, ...] = ()
    """Regular expressions of those messages that mean it only beside other facts, or in many wordings; the plain ones
    are rows of knowledge/messages.toml, which name the rule."""
    closing: Callable[..., Iterator[Finding]] | None = None
    """Asked after all other rules, with what they found: (facts, findings, unchecked)."""
    joins: tuple[Family, ...] = ()
    explained_by: tuple[str | Family, ...] = ()
    """The rules and families whose finding makes this one's a mere consequence."""
    asks: tuple[Ask, ...] = ()
    ambiguous: Callable[[Facts], bool] = lambda _: False
    """Whether, as far as these facts tell, something else may be the cause: it speaks then, and asks."""
    timed: tuple[str, ...] = ()
    """The cases whose timing convicts: measured again, in a fresh process, before the finding is told."""
    always: bool = False
    """No --ignore leaves it out: it tells what was asked for."""
    was: tuple[str, ...] = ()
    """The ids that it had before it was renamed: whoever ignores or looks up one of them still means this rule."""
    id: str = ""
    """The file's name with dashes; also the docs page and the token of --ignore. Filled in by the registry, as is"""
    doc: str = ""

    def __post_init__(self) -> None:
        if not (self.check or self.heard or self.closing):
            raise TypeError("a rule needs a check, or messages and what it makes of them")
        if self.messages and not self.heard:
            raise TypeError("messages need `heard`, which says what the rule makes of them")

    @property
    def title(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")

    @property
    def names(self) -> tuple[str, ...]:
        """Its id, and those that it had."""
        return (self.id, *self.was)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The addresses of its page."""
        listed = self.doc.partition("## References")[2]
        return tuple(re.findall(r"^- (\S+)", listed, re.MULTILINE))

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What `check` asks for, read from its annotations."""
        return needs_of(self.check) if self.check else ()


def needs_of(function: Callable[..., object]) -> tuple[Need, ...]:
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

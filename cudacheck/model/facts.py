"""The facts of one inspection: everything the probes told or a paste said, looked up by type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

MAX_OF_A_TYPE = 2000
"""No machine has more GPUs, packages or libraries than this that matter."""


class Facts:
    """A bag of facts that knows which questions were answered.

    A type is *complete* when its probe finished (or a paste holds the whole list): then none of it means there is
    none. Otherwise none of it means nobody could tell. It is *answered* when it is complete or some of it is there.
    """

    def __init__(self, facts: Iterable[Any] = (), complete: Iterable[type] = ()) -> None:
        self._by_type: dict[type, list[Any]] = {}
        self._complete: set[type] = set(complete)
        self._seen: set[Any] = set()
        self._cut: set[type] = set()
        self._worked_out: dict[Any, Any] = {}
        for fact in facts:
            self.add(fact)

    def add(self, fact: Any) -> None:
        """Keep a fact; one that is already there word for word is not kept twice, nor one of too many."""
        same_type = self._by_type.setdefault(type(fact), [])
        try:
            hash(fact)
            key = fact
        except TypeError:  # it holds a dictionary
            key = repr(fact)
        if key in self._seen:
            return
        if len(same_type) >= MAX_OF_A_TYPE:
            self._cut.add(type(fact))
            return
        self._seen.add(key)
        same_type.append(fact)
        self._worked_out.clear()

    def mark_complete(self, *fact_types: type) -> None:
        """Say that the list of these facts is complete."""
        self._complete.update(fact_types)
        self._worked_out.clear()

    def having(self, fact_type: type[T], facts: Iterable[T], *, complete: bool) -> Facts:
        """The same, but for the facts of one type, and whether their list is whole."""
        changed = Facts(facts, [*self._complete - {fact_type}, *([fact_type] if complete else [])])
        changed._cut |= self._cut - {fact_type}
        changed._by_type = {**self._by_type, fact_type: changed._by_type.get(fact_type, [])}
        changed._seen |= self._seen
        return changed

    def all(self, fact_type: type[T]) -> tuple[T, ...]:
        return tuple(self._by_type.get(fact_type, ()))

    def one(self, fact_type: type[T]) -> T | None:
        """The first fact of this type, or None."""
        return next(iter(self._by_type.get(fact_type, ())), None)

    def is_answered(self, fact_type: type) -> bool:
        """Whether the question was answered, be it with none."""
        return fact_type in self._complete or bool(self._by_type.get(fact_type))

    def is_complete(self, fact_type: type) -> bool:
        """Whether the list of these facts is whole."""
        return fact_type in self._complete and fact_type not in self._cut

    def once(self, work: Callable[[Facts], T]) -> T:
        """What `work`, which is pure, makes of them: again only where a fact was added since."""
        if work not in self._worked_out:
            self._worked_out[work] = work(self)
        return self._worked_out[work]  # type: ignore[no-any-return]

    def types(self) -> tuple[type[Any], ...]:
        """The types that are known or present, in order of name."""
        return tuple(sorted({*self._by_type, *self._complete}, key=lambda t: t.__name__))

    def __bool__(self) -> bool:
        return bool(self._by_type)

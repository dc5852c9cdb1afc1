"""How a value and what is required of it are compared: versions as packaging does, sizes, shares, counts and words."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from cudacheck.requirements._requirement import Seen

Holds = Callable[[str | float], bool]

ORDER = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
UNITS = {"GB": 10**9, "MB": 10**6, "TB": 10**12, "GIB": 1 << 30, "MIB": 1 << 20, "TIB": 1 << 40}
"""GB as boards are sold: what is called 40 GB shows 39.4 GiB, and must not be found wanting."""


def versions(clauses: str) -> Holds:
    """As packaging compares them; pre-releases count as what they are. Without a clause, any version will do."""
    if re.match(r"=[^=]", clauses):
        raise ValueError(f"a version is compared with ==, not with one = ({clauses})")
    try:
        wanted = SpecifierSet(clauses)
    except InvalidSpecifier:
        raise ValueError(f"{clauses} is no version specifier: >=2.7 is one, or >=2.7,<3") from None

    def holds(value: str | float) -> bool:
        try:
            return wanted.contains(Version(str(value)), prereleases=True)
        except InvalidVersion:
            raise ValueError(f"{value} is no version that can be compared") from None

    return holds


def lower_bound(clauses: str) -> str | None:
    """The version from which on everything fulfils it; None where newer ones may not."""
    match = re.fullmatch(r">=\s*([\w.+!-]+)", clauses)
    return match[1] if match else None


def same(seen: Sequence[Seen]) -> str:
    """What another machine must fulfil that is to have the same."""
    return f"=={seen[0].value}"


def same_branch(seen: Sequence[Seen]) -> str:
    """`580.159.04` → from 580 on, and before 581."""
    branch = int(str(seen[0].value).partition(".")[0])
    return f">={branch},<{branch + 1}"


def nearly(seen: Sequence[Seen]) -> str:
    """At most a fifth slower than the slowest one: a tenth is what a short look may be wrong by, another one tells one
    board from the next.
    """
    return f">={0.8 * min(float(one.value) for one in seen):.4f}"


def counts(clauses: str) -> Holds:
    return _numbers(clauses, r"\d{1,9}", float, "a whole number: gpus>=1")


def sizes(clauses: str) -> Holds:
    """In bytes; the unit must be said."""
    return _numbers(clauses, r"\d{1,9}(?:\.\d{1,6})?\s*(?:[gmt]i?b)", _bytes, "a size with its unit: >=40GB, or GiB")


def shares(clauses: str) -> Holds:
    return _numbers(clauses, r"\d{1,3}(?:\.\d{1,6})?%?", _share, "a share of the peak: >=0.6, or >=60%")


def words(clauses: str) -> Holds:
    """The same words in the same order, anywhere in the value: `H200` in `NVIDIA H200`, and `A10` not in `A100`."""
    match = re.fullmatch(r"(==?|!=)\s*([\w ./+-]{1,80})", clauses)
    if match is None:
        raise ValueError("it is compared with = or != and a name: gpu-name=H200")
    wanted = _split(match[2])

    def holds(value: str | float) -> bool:
        there = _split(str(value))
        found = any(_names(there, wanted, at) for at in range(len(there)))
        return found == (match[1] != "!=")

    return holds


def one_of(*choices: str) -> Callable[[str], Holds]:
    def compare(clauses: str) -> Holds:
        match = re.fullmatch(r"(==?|!=)\s*(\w+)", clauses)
        if match is None or match[2] not in choices:
            raise ValueError(f"it is compared with = or != and one of {', '.join(choices)}")
        return lambda value: (value == match[2]) == (match[1] != "!=")

    return compare


OTHER_MODEL = {"ti", "super", "laptop", "max", "mobile", "d", "mig"}
"""Words that make another model of the one before them: an RTX 4070 Ti is no RTX 4070."""


MOST_SHARE = 2.0
"""Of the datasheet's peak; what measures more than all of it was not measured right."""


def _split(name: str) -> list[str]:
    return re.findall(r"\w+", name.lower())


def _names(there: list[str], wanted: list[str], at: int) -> bool:
    after = there[at + len(wanted) : at + len(wanted) + 1]
    return there[at : at + len(wanted)] == wanted and not OTHER_MODEL.intersection(after)


def _numbers(clauses: str, number: str, value_of: Callable[[str], float], form: str) -> Holds:
    """Every clause: an operator and a number of this form."""
    wanted = []
    for clause in clauses.split(","):
        match = re.fullmatch(rf"\s*(>=|<=|==|!=|>|<)\s*({number})\s*", clause, re.IGNORECASE)
        if match is None:
            raise ValueError(f"it is compared with {form}")
        wanted.append((ORDER[match[1]], value_of(match[2])))
    return lambda value: all(compare(float(value), limit) for compare, limit in wanted)


def _bytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", text).groups()  # type: ignore[union-attr] # of the form asked for
    return float(number) * UNITS[unit.upper()]


def _share(text: str) -> float:
    share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    if share > MOST_SHARE:  # 60 for 60%: no GPU would ever fulfil it
        raise ValueError(f"{text} is no share of the peak: >=0.6, or >=60%")
    return share

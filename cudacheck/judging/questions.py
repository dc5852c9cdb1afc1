"""What to ask where a paste leaves the cause open: the commands whose answers split the causes that remain.

Nothing here names a fault: the rules say what would make them sure (`asks`), the probes how to find out (`by_hand`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from cudacheck import knowledge
from cudacheck.model.facts import Facts
from cudacheck.model.findings import Finding, Layer, PossibleAnswer, Question, Severity
from cudacheck.model.rule import Ask, Family, Rule
from cudacheck.probes import ByHand
from cudacheck.probes.chosen import Patient
from cudacheck.probes.host.nvml import Nvml
from cudacheck.probes.host.system import System
from cudacheck.probes.messages import LONGEST, ErrorMessage
from cudacheck.probes.patient.torch_cuda import TorchCuda
from cudacheck.registry import causes_of, listens, probe_of, rules


def questions(facts: Facts, findings: Sequence[Finding], ignore: Collection[str] = ()) -> tuple[Question, ...]:
    """The shortest answer first; none where the machine itself was looked at, or where nothing is open."""
    if facts.one(Patient) is not None:
        return ()
    root = next((f for f in findings if f.severity is not Severity.NOTE), None)
    known = [rule for rule in rules() if rule.asks and {*ignore}.isdisjoint(rule.names)]
    own = next((rule for rule in known if root and rule.id == root.rule), None)
    cuda, system, may_be = facts.one(TorchCuda), facts.one(System), left_open(facts)
    if root:
        candidates = _deeper(own, known, facts) if own and _is_vague(own, facts) else []
    elif system and system.os == "darwin":
        candidates = []  # where no GPU is NVIDIA's
    elif cuda is not None and not cuda.available:
        candidates = [rule for rule in known if _hides_gpus(rule)]
    elif system and system.jetson:
        candidates = []  # its builds bear the names of others, and nvidia-smi tells little there
    else:
        seen = cuda is not None and cuda.available
        candidates = [
            rule
            for rule in known
            if (rule.id in may_be if may_be else _lacks_one(rule, facts)) and not (seen and _hides_gpus(rule))
        ]
    faulty = root is not None or bool(may_be) or (cuda is not None and not cuda.available)
    return tuple(_asked(candidates, facts, own.id if own else "", why=faulty))


def block(questions: Sequence[Question]) -> tuple[str, ...]:
    """Lines for a shell that print all answers, each below its command, as the readers want them."""
    return (*(f"echo '$ {question.command}'; {question.command}" for question in questions), "echo '$'")


def undecided(facts: Facts) -> str:
    """The words of a message that does not decide alone; empty where none was said."""
    return next((words for words, _ in facts.once(_undecided)), "")


def left_open(facts: Facts) -> set[str]:
    """The rules that may be behind such a message."""
    return {rule_id for _, row in facts.once(_undecided) for rule_id in row.may_be}


def _undecided(facts: Facts) -> tuple[tuple[str, knowledge.Message], ...]:
    rows = [row for row in knowledge.messages() if row.may_be]
    searched = ((row.search(said.text), row) for said in facts.all(ErrorMessage) for row in rows)
    return tuple((" ".join(found.group().split()), row) for found, row in searched if found)


def _hides_gpus(rule: Rule) -> bool:
    """Whether PyTorch finds no GPU then: all that sits deeper than its kernels."""
    return rule.layer <= Layer.TORCH_BUILD and Family.WRONG_KERNELS not in rule.joins


def _is_vague(rule: Rule, facts: Facts) -> bool:
    """Whether others may be behind it, and it was not told all that it asks for."""
    return rule.ambiguous(facts) and not all(_is_answered(ask, facts) for ask in rule.asks)


def _deeper(rule: Rule, known: Sequence[Rule], facts: Facts) -> list[Rule]:
    """The rule and what may be behind it: what it names as its causes, and those with the same consequences.

    They are asked for what the rule itself asks for, those of which the same message may speak for all that they ask.
    Where something ran on the GPU, there is a driver.
    """
    wanted = {_by_hand(ask) for ask in rule.asks}
    deepest = Layer.TORCH_BUILD if rule.layer >= Layer.RUN_TIME else Layer.HARDWARE
    return [
        other
        for other in known
        if (other is rule or other.id in causes_of(rule.id) or {*other.joins} & {*rule.joins})
        and other.layer >= deepest
        and (other is rule or not _is_refuted(other, facts))
        and (wanted & {_by_hand(ask) for ask in other.asks} or _hear_the_same(rule, other, facts))
    ]


def _is_refuted(rule: Rule, facts: Facts) -> bool:
    """Whether the driver answers, of which such a rule asks why it does not."""
    nvml = facts.one(Nvml)
    answers = nvml is not None and bool(nvml.driver_version or nvml.gpu_count)
    return answers and Family.NO_DRIVER in rule.joins and any(ask.fact is Nvml for ask in rule.asks)


def _hear_the_same(one: Rule, other: Rule, facts: Facts) -> bool:
    def heard(rule: Rule, said: ErrorMessage) -> bool:
        return any(pattern.search(said.text[:LONGEST]) for pattern in listens(rule))

    return any(heard(one, said) and heard(other, said) for said in facts.all(ErrorMessage))


def _lacks_one(rule: Rule, facts: Facts) -> bool:
    """Whether one answer is all that is lacking of what must fit together: driver, build and GPU."""
    if not Layer.DRIVER <= rule.layer <= Layer.TORCH_BUILD:
        return False
    answered = {_by_hand(ask): _is_answered(ask, facts) for ask in rule.asks if not ask.field}
    return len(answered) > 1 and [*answered.values()].count(False) == 1


def _asked(candidates: Sequence[Rule], facts: Facts, about: str, *, why: bool) -> Iterator[Question]:
    """One question for each command that was not answered yet and that this system has.

    The reason for a fault (`why`) is asked for where there is one.
    """
    system = facts.one(System)
    by_command: dict[ByHand, list[tuple[Rule, Ask]]] = {}
    for rule in candidates:
        for ask in rule.asks:
            hand = _by_hand(ask)
            if ask.field and not why:
                continue
            if hand and not _is_answered(ask, facts) and (hand.on_windows or not system or system.os == "linux"):
                by_command.setdefault(hand, []).append((rule, ask))
    for hand in sorted(by_command, key=lambda hand: _size(by_command[hand])):
        answers = (PossibleAnswer(ask.says, rule.id, rule.title) for rule, ask in by_command[hand])
        yield Question(hand.command, tuple(dict.fromkeys(answers)), about)


def _size(asked: Sequence[tuple[Rule, Ask]]) -> tuple[int, int]:
    """Of the longest answer, lines and characters."""
    return max((ask.answer.count("\n"), len(ask.answer)) for _, ask in asked)


def _by_hand(ask: Ask) -> ByHand | None:
    probe = probe_of(ask.fact)
    return probe.by_hand if probe else None


def _is_answered(ask: Ask, facts: Facts) -> bool:
    """Whether the fact is known, or the program itself said why it tells nothing."""
    hand = _by_hand(ask)
    said = hand is not None and any(hand.command in said.text.lower() for said in facts.all(ErrorMessage))
    if ask.field:
        known: tuple[object, ...] = facts.all(ask.fact)
        return any(getattr(fact, ask.field) is not None for fact in known)
    return said or facts.is_answered(ask.fact)

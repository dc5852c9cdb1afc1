"""The tool that plants small faults plants them in what runs, and only there."""

import ast

from tools import mutate

RULES = mutate.ROOT / "cudacheck" / "rules"


def changes_of(rule: str) -> list[str]:
    return [mutant.change for mutant in mutate.mutants_of(RULES / rule)]


def test_each_kind_of_fault_is_planted():
    changes = changes_of("shm_too_small.py")
    assert "system.shm_bytes < ENOUGH  ->  system.shm_bytes <= ENOUGH" in changes
    assert "30  ->  60" in changes
    assert (
        "system.container and system.shm_bytes and (system.shm_bytes < ENOUGH)  ->  "
        "system.container or system.shm_bytes or system.shm_bytes < ENOUGH"
    ) in changes
    assert "not node.exists  ->  node.exists" in changes_of("uvm_broken.py")


def test_one_fault_alone_is_in_a_mutant():
    source = (RULES / "shm_too_small.py").read_text(encoding="utf-8")
    for mutant in mutate.mutants_of(RULES / "shm_too_small.py"):
        before, _, after = mutant.change.partition("  ->  ")
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(source))
        assert mutant.text.splitlines()[: mutant.line - 1] == source.splitlines()[: mutant.line - 1]
        assert before != after


def test_no_example_is_mutated_nor_what_serves_examples_alone():
    assert not {"20  ->  40", "130.0  ->  260.0"} & {*changes_of("attention_plan_per_length.py")}  # `_stalls`, `_row`
    assert "64  ->  128" not in changes_of("shm_too_small.py")
    assert "34  ->  68" in changes_of("stub_libcuda.py")  # in `messages`, and in `check`

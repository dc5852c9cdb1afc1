"""Do the tests notice? Small faults are planted one by one in a copy of the tree, and a test must fail for each.

    nice python tests/tools/mutate.py [--count 200] [--seed 1] [--jobs 2] [PATH ...]

A mutant turns one comparison, writes `and` for `or`, drops a `not`, or doubles one number: in what runs, not in what is
said (f-strings) or in a rule's examples. A mutant of a rule is shown to the rule's own examples first, then, like all
others, to the fast tests of its room. A sample depends on the seed and the tree alone. Each survivor is printed with
its line: a branch of a rule that no test visits is a false alarm in waiting. Some survivors are equivalent (no input
tells them from the original); a person has to say which.
"""

from __future__ import annotations

import argparse
import ast
import copy
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis  # noqa: F401 - what tests import is imported once, before each fork
import packaging.version  # noqa: F401
import pytest
import typer.testing  # noqa: F401

ROOT = Path(__file__).parents[2]
TESTS = {
    "rules": "rules branches rules_torch tickets replays replays_bench replays_steps speed snapshots",
    "judging": "questions gate rules branches tickets replays snapshots",
    "speed": "speed branches replays_bench replays_steps rules snapshots speed_steps",
    "sources": "sources questions branches tickets captures disguise rules snapshots",
    "remedies": "remedies branches choices tickets rules rules_torch knowledge snapshots",
    "knowledge": "knowledge branches choices rules rules_torch tickets remedies",
}
"""The rooms that are mutated, each with the test files that answer for it, the quickest first."""
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
EXAMPLES = {"fires", "quiet"}
"""Arguments of a rule's declaration that are tests themselves."""
TIME_LIMIT_S = 300


@dataclass(frozen=True)
class Mutant:
    path: Path
    """Below the root."""
    line: int
    change: str
    text: str
    """The whole file."""


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every small fault that can be planted in this file."""
    source = path.read_text(encoding="utf-8")
    for node in _running(ast.parse(source)):
        for twin in _twins(node):
            before, after = ast.unparse(node), ast.unparse(twin)
            text = _replaced(source, node, f"({after})")
            yield Mutant(path.resolve().relative_to(ROOT), node.lineno, f"{before}  ->  {after}", text)


def _running(tree: ast.Module) -> Iterator[ast.expr]:
    """The expressions that run: no annotation, nothing of an f-string, and nothing that only examples use."""
    serving = _serving_examples(tree)
    parts: list[ast.AST] = [part for part in tree.body if part not in serving]
    while parts:
        node = parts.pop()
        if isinstance(node, ast.expr):
            yield node
        parts += [child for child in _children(node) if not isinstance(child, ast.JoinedStr)]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name not in {"annotation", "returns"}:
            children = value if isinstance(value, list) else [value]
            yield from (c for c in children if isinstance(c, ast.AST) and not _is_example(c))


def _is_example(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg in EXAMPLES


def _serving_examples(tree: ast.Module) -> list[ast.stmt]:
    """The statements of a rule file that name what its examples alone use, directly or not."""
    named = {name: part for part in tree.body for name in _names_given(part)}
    if "RULE" not in named:
        return []
    examples = [node for node in ast.walk(named["RULE"]) if _is_example(node)]
    running = _reached({"RULE"}, named)
    serving = _reached({name for example in examples for name in _names(example)}, named) - running
    return [named[name] for name in sorted(serving)]


def _names_given(part: ast.stmt) -> set[str]:
    if isinstance(part, ast.FunctionDef):
        return {part.name}
    return {name.id for name in ast.walk(part) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def _reached(names: set[str], named: dict[str, ast.stmt]) -> set[str]:
    """Those of the file's names that these lead to, but through examples."""
    reached: set[str] = set()
    while new := (names & {*named}) - reached:
        reached |= new
        names = {name for each in new for name in _names(named[each])}
    return reached


def _names(tree: ast.AST) -> set[str]:
    own = {tree.id} if isinstance(tree, ast.Name) else set()
    return own.union(*map(_names, _children(tree)))


def _twins(node: ast.expr) -> Iterator[ast.expr]:
    """What may stand in its place."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            twin = copy.deepcopy(node)
            twin.ops[place] = TURNED[type(operator)]()
            yield twin
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value not in {0, True}:
        yield ast.Constant(node.value * 2)


def _replaced(source: str, node: ast.expr, new: str) -> str:
    """The source with this in the node's place; `ast` counts columns in bytes."""
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
    return (raw[:start] + new.encode() + raw[end:]).decode()


def survives(mutant: Mutant, tree: Path) -> bool:
    """Whether no test in this copy of the tree fails for it."""
    place = tree / mutant.path
    sound = place.read_text(encoding="utf-8")
    # Bytecode is told from stale by second and size: what is kept must be of the sound text.
    for kept in (place.parent / "__pycache__").glob(f"{place.stem}.*.pyc"):
        kept.unlink()
    place.write_text(mutant.text, encoding="utf-8")
    try:
        return all(_passes(tree, tests) for tests in _tests(mutant.path))
    finally:
        place.write_text(sound, encoding="utf-8")


def _tests(path: Path) -> list[list[str]]:
    """The tests that concern this file, as pytest takes them, in the order in which they are run."""
    room = path.parts[1]
    files = [f"tests/test_{name}.py" for name in TESTS[room].split()]
    own = [str(path)]  # its doctests
    if room == "rules" and not path.name.startswith("_"):
        own = ["tests/test_rules.py", "tests/test_snapshots.py", "-k", path.stem.replace("_", "-")]
    return [own, files]


def _passes(tree: Path, tests: list[str], *, keep_bytecode: bool = False) -> bool:
    """Run in a fork of this process, which has what all tests import already; a test that never ends fails."""
    child = os.fork()
    if not child:
        signal.alarm(TIME_LIMIT_S)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        os.chdir(tree)
        os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
        if not keep_bytecode:
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        code = 70
        try:
            code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not whole", *tests])
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status in {0, pytest.ExitCode.NO_TESTS_COLLECTED << 8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="only these files (default: all of the rooms)")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    files = options.paths or sorted(path for room in TESTS for path in (ROOT / "cudacheck" / room).rglob("*.py"))
    everything = [mutant for path in files for mutant in mutants_of(path)]
    chosen = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
    survivors = run(chosen, options.jobs)
    killed = len(chosen) - len(survivors)
    print(f"{len(everything)} mutants, {len(chosen)} tried, {killed} killed ({killed / max(len(chosen), 1):.1%})")
    for mutant in sorted(survivors, key=lambda m: (str(m.path), m.line)):
        print(f"survived  {mutant.path}:{mutant.line}  {mutant.change}")


def run(mutants: list[Mutant], jobs: int) -> list[Mutant]:
    """Those that survive."""
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        sound = _sound(Path(folder), {mutant.path.parts[1] for mutant in mutants})
        with multiprocessing.get_context("fork").Pool(jobs, _own_copy, [sound]) as pool:
            for number, (mutant, alive) in enumerate(zip(mutants, pool.imap(_tried, mutants), strict=True), 1):
                survivors += [mutant] if alive else []
                print(f"\r{number}/{len(mutants)}, {len(survivors)} alive ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return survivors


def _sound(folder: Path, rooms: set[str]) -> Path:
    """A copy of the tree with the bytecode that its tests leave."""
    tree = folder / "sound"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    answering = sorted({f"tests/test_{name}.py" for room in rooms for name in TESTS[room].split()})
    if not _passes(tree, answering, keep_bytecode=True):
        # A test that fails on the sound tree would pass for one that notices.
        sys.exit(f"a test fails before anything is planted: {' '.join(answering)}")
    return tree


own_tree = Path()
"""Of this worker."""


def _own_copy(sound: Path) -> None:
    global own_tree  # noqa: PLW0603 - a worker of a pool has no other place
    own_tree = shutil.copytree(sound, sound.with_name(str(os.getpid())))


def _tried(mutant: Mutant) -> bool:
    return survives(mutant, own_tree)


if __name__ == "__main__":
    main()

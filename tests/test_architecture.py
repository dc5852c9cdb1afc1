"""The rooms of docs/design.md: who may import whom, no circles, and that the patient's code stays within Python 3.8."""

from __future__ import annotations

import ast
import functools
import itertools
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cudacheck"
FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("collecting",),
    ("sources", "render", "probing", "configuration"),
    ("comparing", "lint"),
    ("reports",),
    ("judging",),
    ("registry",),
    ("rules",),
    ("requirements", "planning"),
    ("remedies",),
    ("speed",),
    ("knowledge", "probes"),
    ("bench",),
    ("model",),
)
"""From the roof to the cellar: a room may import what stands on a lower floor, and nothing else."""
PATIENT_CODE = sorted(
    [
        PACKAGE / "model" / "__init__.py",
        PACKAGE / "model" / "identity.py",
        PACKAGE / "model" / "holds.py",
        PACKAGE / "probing" / "__init__.py",
        PACKAGE / "probing" / "_child.py",
        PACKAGE / "probes" / "__init__.py",
        PACKAGE / "probes" / "_roots.py",
        PACKAGE / "probes" / "messages.py",
        *(PACKAGE / "probes" / "patient").glob("*.py"),
        *(PACKAGE / "bench").glob("*.py"),
    ]
)
"""What the inspected interpreter runs."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


@functools.cache
def imports(path: Path) -> set[str]:
    """The modules that a file names in its import statements, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@functools.cache
def arrows() -> dict[str, set[str]]:
    """Our modules, and those of them that each imports by name: the module itself, not the folders above it."""
    found = {}
    for name, path in MODULES.items():
        ours = imports(path) & MODULES.keys()
        found[name] = {one for one in ours if not any(other.startswith(f"{one}.") for other in ours)} - {name}
    return found


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of arrows; empty where there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        found = next((c for one in sorted(graph.get(node, ())) if (c := walk(one, [*way, node]))), [])
        done.add(node)
        return found

    return next((c for node in sorted(graph) if (c := walk(node, []))), [])


def test_a_circle_is_noticed():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_files_import_each_other():
    assert circle_in(arrows()) == []


def test_every_room_has_its_floor():
    rooms = {path.stem if path.suffix else path.name for path in PACKAGE.iterdir() if path.suffix in {"", ".py"}}
    assert rooms - {"__pycache__", "__init__"} == set(itertools.chain(*FLOORS))


def test_a_room_imports_only_what_stands_below_it():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    wrong = []
    for name, used in arrows().items():
        here = name.split(".")[1:2]
        for other in used:
            there = other.split(".")[1:2]
            if here and there and here != there and floor[here[0]] >= floor[there[0]]:
                wrong.append(f"{name} → {other}")
    assert wrong == []


@pytest.mark.parametrize("path", PATIENT_CODE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_patient_code_is_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", PATIENT_CODE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_patient_code_imports_only_what_the_patient_has(path):
    allowed = {
        *sys.stdlib_module_names,
        "torch",
        "flash_attn",
        "flash_attn_2_cuda",
        "triton",
        "transformers",
        "numpy",
    }
    ours = {module_of(one) for one in PATIENT_CODE}
    for name in imports(path):
        known = name in ours or name.rpartition(".")[0] in ours
        assert name.partition(".")[0] in allowed or known or name == "cudacheck", name


@pytest.mark.parametrize("room", ["rules", "requirements", "judging", "speed", "comparing"])
def test_what_thinks_touches_nothing(room):
    """Rules, judging and the meaning of measurements are pure: facts in, values out."""
    for path in (PACKAGE / room).rglob("*.py"):
        outside = {"os", "subprocess", "socket", "pathlib", "time", "typer", "rich"}
        assert not {name.partition(".")[0] for name in imports(path)} & outside, path.name


def test_one_name_means_one_class():
    """But that a protocol may be called like the class that fills it."""
    where: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases):
                where.setdefault(node.name, []).append(module_of(path))
    assert len(where) > 100
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}


def test_every_byte_for_a_person_passes_one_door():
    """Who writes to a stream of this process; the children write to files of their own."""
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in {"probes", "bench"} or path.name == "_child.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                writes = called == "print" or called.startswith(("sys.stdout.write", "sys.stderr.write"))
                assert not writes or path.name == "out.py", f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(("package", "allowed"), [("typer", ("cli/",)), ("rich", ("render/", "cli/"))])
def test_who_may_print(package, allowed):
    for path in PACKAGE.rglob("*.py"):
        if any(name.partition(".")[0] == package for name in imports(path)):
            assert str(path.relative_to(PACKAGE)).startswith(allowed), path

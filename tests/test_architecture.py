"""The import rule of docs/design.md, and that target code stays within Python 3.8."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cudacheck"
TARGET_CODE = sorted(
    [
        PACKAGE / "_child.py",
        PACKAGE / "probes" / "__init__.py",
        PACKAGE / "probes" / "_roots.py",
        PACKAGE / "probes" / "holds.py",
        PACKAGE / "probes" / "messages.py",
        *(PACKAGE / "probes" / "target").glob("*.py"),
        *(PACKAGE / "bench").glob("*.py"),
    ]
)


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


@pytest.mark.parametrize("path", TARGET_CODE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_target_code_is_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", TARGET_CODE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_target_code_imports_only_what_the_target_has(path):
    allowed = {
        *sys.stdlib_module_names,
        "torch",
        "flash_attn",
        "flash_attn_2_cuda",
        "triton",
        "transformers",
        "numpy",
    }
    for name in imports(path):
        top = name.partition(".")[0]
        assert top in allowed or name.startswith(("cudacheck.probes", "cudacheck.bench")) or name == "cudacheck", name


def test_rules_are_pure():
    for path in (PACKAGE / "rules").glob("*.py"):
        bad = {
            name
            for name in imports(path)
            if name.partition(".")[0] in {"os", "subprocess", "socket", "pathlib", "typer", "rich", "cudacheck.probing"}
        }
        assert not bad, f"{path.name} imports {bad}"
        ours = {name for name in imports(path) if name.startswith("cudacheck.")}
        allowed = (
            "cudacheck.probes",
            "cudacheck.report",
            "cudacheck.facts",
            "cudacheck.knowledge",
            "cudacheck.remedies",
            "cudacheck.rules",
            "cudacheck.speed",
            "cudacheck.target",
        )
        assert all(name.startswith(allowed) for name in ours), f"{path.name}: {ours}"


def test_what_measurements_mean_is_pure():
    for path in (PACKAGE / "speed").glob("*.py"):
        allowed = ("cudacheck.probes", "cudacheck.report", "cudacheck.facts", "cudacheck.knowledge", "cudacheck.speed")
        assert all(n.startswith(allowed) for n in imports(path) if n.startswith("cudacheck.")), path.name
        assert not imports(path) & {"os", "subprocess", "pathlib", "time"}, path.name


def test_judging_neither_probes_nor_renders():
    assert not {n for n in imports(PACKAGE / "judging.py") if n.startswith(("cudacheck.probing", "cudacheck.render"))}


def test_every_byte_for_a_person_passes_one_door():
    """Who writes to a stream of this process; the children write to files of their own."""
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in {"probes", "bench"} or path.name == "_child.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            writes = called == "print" or called.startswith(("sys.stdout.write", "sys.stderr.write"))
            assert not writes or path.name == "out.py", f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(("package", "allowed"), [("typer", ("cli.py",)), ("rich", ("render/", "cli.py"))])
def test_who_may_print(package, allowed):
    for path in PACKAGE.rglob("*.py"):
        if any(name.partition(".")[0] == package for name in imports(path)):
            assert str(path.relative_to(PACKAGE)).startswith(allowed), path

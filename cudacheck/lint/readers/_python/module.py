"""One parsed module: its nodes by type, what stands around each, and what its names stand for."""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

from cudacheck.lint.facts import Place
from cudacheck.lint.readers._base import Context

_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
_SAME = {"to", "cuda", "eval", "half", "bfloat16", "queue"}
"""Methods that give their object back: model.eval(), model.to("cuda")."""
N = TypeVar("N", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """Names, parents and what follows from them."""

    def __init__(self, tree: ast.Module, text: str, context: Context) -> None:
        self.tree, self.text, self.context = tree, text, context
        self.nodes: list[ast.AST] = [tree]
        self.parents: dict[ast.AST, ast.AST] = {}
        self.by_type: dict[type[ast.AST], list[Any]] = collections.defaultdict(list, {ast.Module: [tree]})
        for node in self.nodes:  # as ast.walk does, in the order of the file by depth
            for child in _children(node):
                self.parents[child] = node
                self.nodes.append(child)
                self.by_type[type(child)].append(child)
        self.byte_lines = text.encode("utf-8", "replace").split(b"\n")
        self.ascii = text.isascii()

    def of(self, kind: type[N]) -> list[N]:
        """All nodes of one type."""
        return self.by_type[kind]

    def place(self, node: ast.expr | ast.stmt | ast.keyword) -> Place:
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        start = self._column(node.lineno, node.col_offset)
        return self.context.place(node.lineno, start + 1, end_line, self._column(end_line, end) + 1)

    def _column(self, line: int, offset: int) -> int:
        if self.ascii:
            return offset
        return len(self.byte_lines[line - 1][:offset].decode("utf-8", "replace"))

    def head(self, node: ast.With | ast.ClassDef | Function) -> Place:
        """The first line of a statement that holds others."""
        line = self.byte_lines[node.lineno - 1].decode("utf-8", "replace").rstrip()
        return self.context.place(
            node.lineno, self._column(node.lineno, node.col_offset) + 1, node.lineno, len(line) + 1
        )

    @cached_property
    def imported(self) -> dict[str, str]:
        """Each imported name with what it stands for: `gr` → `gradio`."""
        found = {}
        for node in self.of(ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        for origin in self.of(ast.ImportFrom):
            if origin.module and not origin.level:
                found |= {alias.asname or alias.name: f"{origin.module}.{alias.name}" for alias in origin.names}
        return found

    @cached_property
    def called(self) -> list[tuple[ast.Call, str]]:
        """Every call with the full name of its function; empty for what has none."""
        return [(node, self.named(node.func)) for node in self.of(ast.Call)]

    @cached_property
    def packages(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imported.values()}

    @cached_property
    def objects(self) -> dict[str, str]:
        """Names (`demo`, `self.model`) with the call that made them, where it is one alone."""
        made: dict[str, set[str]] = {}
        for target, value in self._given_names():
            if name := dotted(target):
                made.setdefault(name, set()).add(self._made_by(value))
        return {name: next(iter(calls)) for name, calls in made.items() if len(calls) == 1 and "" not in calls}

    def _given_names(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in self.of(ast.Assign):
            yield from ((target, node.value) for target in node.targets)
        annotated = [(node.target, node.value) for node in self.of(ast.AnnAssign) if node.value is not None]
        named: list[tuple[ast.expr, ast.expr]] = [(node.target, node.value) for node in self.of(ast.NamedExpr)]
        yield from (*annotated, *named)
        items = [item for block in self.of(ast.With) for item in block.items]
        items += [item for block in self.of(ast.AsyncWith) for item in block.items]
        yield from ((item.optional_vars, item.context_expr) for item in items if item.optional_vars is not None)

    def _made_by(self, value: ast.expr) -> str:
        while isinstance(value, ast.Call):
            name = dotted(value.func)
            head, _, rest = name.partition(".")
            if head in self.imported:
                return f"{self.imported[head]}.{rest}".rstrip(".")
            if isinstance(value.func, ast.Attribute) and value.func.attr in _SAME:
                value = value.func.value
                continue
            return ""
        return ""

    def named(self, function: ast.expr) -> str:
        """The full name of a function that is called."""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            maker = self.named(function.value.func)
            # demo.queue().launch(): queue gives the app back.
            owner = maker.removesuffix(".queue") if maker.endswith(".queue") else maker
            return f"{owner}.{function.attr}" if owner else ""
        name = dotted(function)
        head, _, rest = name.partition(".")
        if head in self.imported:
            return f"{self.imported[head]}.{rest}".rstrip(".")
        owner, _, method = name.rpartition(".")
        if owner in self.objects:
            return f"{self.objects[owner]}.{method}"
        return name

    def inside(self, node: ast.AST) -> Function | None:
        parent = self.parents.get(node)
        while parent is not None and not isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
            parent = self.parents.get(parent)
        return parent


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The children that may hold more, or are looked at: no names, constants and operators."""
    for value in node.__dict__.values():
        if isinstance(value, list):
            for child in value:
                if isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                    yield child
        elif isinstance(value, ast.AST) and not isinstance(value, _LEAVES):
            yield value


def dotted(node: ast.AST) -> str:
    """`a.b.c`; empty for what is no plain name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def imports(node: ast.stmt, *packages: str) -> bool:
    """Whether it imports one of these, or something of theirs."""
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in packages for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in packages


def decorator(node: ast.expr) -> str:
    """The last name of a decorator, called or not."""
    return dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]

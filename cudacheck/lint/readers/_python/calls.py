"""Calls by the name that was imported, with their arguments; programs that are started and switches that are read."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

from cudacheck.lint.facts import Argument, Call, Command, SwitchRead
from cudacheck.lint.readers._python.module import Function, Module, decorator, dotted

_CACHES = {"lru_cache", "cache", "cached", "cache_resource", "cached_property"}


def calls(module: Module) -> Iterator[Call]:
    for node, name in module.called:
        if name and (_is_foreign(module, node.func, name) or _names_a_path(node)):
            yield _call(module, node, name)


def _is_foreign(module: Module, function: ast.expr, name: str) -> bool:
    """Whether what is called comes from a package: most calls are of the file's own functions."""
    return name.partition(".")[0] in module.packages or name != dotted(function)


def _names_a_path(node: ast.Call) -> bool:
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return any(isinstance(v, ast.Constant) and isinstance(v.value, str) and "/" in v.value for v in given)


def _call(module: Module, node: ast.Call, name: str) -> Call:
    function = module.inside(node)
    keywords = {k.arg: _argument(module, k.value, k) for k in node.keywords if k.arg}
    starred = any(k.arg is None for k in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args)
    return Call(
        name,
        keywords,
        tuple(_argument(module, value) for value in node.args),
        module.place(node),
        starred,
        function.name if function else "",
        _guarded(module, node, function),
        _released(module, node, function),
    )


def _argument(module: Module, value: ast.expr, keyword: ast.keyword | None = None) -> Argument:
    place = module.place(keyword) if keyword else module.place(value)
    source = _source(module, value)
    name_place = (
        dataclasses.replace(place, end_line=place.line, end_column=place.column + len(keyword.arg or ""))
        if keyword
        else None
    )
    if isinstance(value, ast.Constant):
        return Argument(value.value, source, place, name_place, literal=True)
    if not isinstance(value, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.UnaryOp):
        return Argument(None, source, place, name_place)
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Argument(None, source, place, name_place)
    return Argument(literal, source, place, name_place, literal=True)


def _source(module: Module, node: ast.expr) -> str:
    if name := dotted(node):
        head, _, rest = name.partition(".")
        return f"{module.imported.get(head, head)}.{rest}".rstrip(".")
    # ast.get_source_segment splits the whole text again for every node.
    line = module.byte_lines[node.lineno - 1]
    end = node.end_col_offset if node.end_lineno == node.lineno else len(line)
    return line[node.col_offset : end].decode("utf-8", "replace")[:200]


def _guarded(module: Module, node: ast.Call, function: Function | None) -> bool:
    if function is not None and any(decorator(d) in _CACHES for d in function.decorator_list):
        return True
    parent = module.parents.get(node)
    while parent is not None and parent is not function:
        if isinstance(parent, ast.If):
            return True
        parent = module.parents.get(parent)
    return False


def _released(module: Module, node: ast.Call, function: Function | None) -> bool:
    if function is None:
        return False
    statement: ast.AST = node
    while not isinstance(statement, ast.stmt):
        statement = module.parents[statement]
    names = {dotted(target) for target in statement.targets} if isinstance(statement, ast.Assign) else set()
    deleted = [gone for gone in module.of(ast.Delete) if module.inside(gone) is function]
    return any(dotted(target) in names for gone in deleted for target in gone.targets)


def subprocesses(module: Module) -> Iterator[Command]:
    for node, name in module.called:
        if name.startswith("subprocess.") and node.args:
            value = node.args[0]
            if isinstance(value, ast.List) and all(
                isinstance(e, ast.Constant) and isinstance(e.value, str) for e in value.elts
            ):
                words = tuple(str(element.value) for element in value.elts if isinstance(element, ast.Constant))
                yield Command(words, module.place(node), module.context.scope, tolerated=True)


def switches(module: Module) -> Iterator[SwitchRead]:
    for node in module.of(ast.Attribute):
        if isinstance(node.ctx, ast.Load) and node.attr == "enabled":
            parent = module.parents.get(node)
            told = isinstance(parent, ast.Assert | ast.FormattedValue) or (
                isinstance(parent, ast.Call) and dotted(parent.func) == "print"
            )
            if told and module.named(node) == "torch.backends.cudnn.enabled":
                yield SwitchRead("torch.backends.cudnn.enabled", module.place(node))

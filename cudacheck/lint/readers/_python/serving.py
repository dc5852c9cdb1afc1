"""Functions that serve requests, and caches that all of their users share."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cudacheck.lint.facts import Handler, SharedCache
from cudacheck.lint.readers._python.module import Function, Module, dotted, imports

_EVENTS = {"click", "submit", "change", "input", "select", "upload", "then", "success", "release"}
_ROUTES = {"get", "post", "put", "api_route", "websocket"}


def handlers(module: Module) -> Iterator[Handler]:
    defined: list[Function] = [*module.of(ast.FunctionDef), *module.of(ast.AsyncFunctionDef)]
    functions = {node.name: node for node in defined}
    seen: set[str] = set()
    for node in [*module.of(ast.Call), *defined]:
        for name, framework, limited in _served(module, node):
            if name in functions and name not in seen:
                seen.add(name)
                yield Handler(name, module.head(functions[name]), framework, limited)


def _served(module: Module, node: ast.AST) -> Iterator[tuple[str, str, bool]]:
    if isinstance(node, ast.Call) and "gradio" in module.imported.values():
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        keywords = {k.arg: k.value for k in node.keywords}
        limited = "concurrency_limit" in keywords or None in keywords
        if method in _EVENTS or module.named(node.func) in {"gradio.Interface", "gradio.ChatInterface"}:
            candidates = [*node.args[:1], *filter(None, [keywords.get("fn")])]
            for value in candidates:
                if isinstance(value, ast.Name):
                    yield value.id, "Gradio", limited
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                owner = module.objects.get(dotted(decorator.func.value), "")
                if decorator.func.attr in _ROUTES and owner.startswith(("fastapi.", "flask.")):
                    yield node.name, "FastAPI", True


def caches(module: Module) -> Iterator[SharedCache]:
    for owner in module.of(ast.ClassDef):
        parts = [*ast.walk(owner)]
        loads = any(isinstance(p, ast.Call) and module.named(p.func).endswith("from_pretrained") for p in parts)
        for part in parts:
            if (
                isinstance(part, ast.Assign)
                and isinstance(part.value, ast.Attribute)
                and part.value.attr == "past_key_values"
            ):
                name = dotted(part.targets[0])
                if name.startswith("self.") and (loads or _served_instance(module, owner.name)):
                    yield SharedCache(name, owner.name, module.place(part))
                    break


def _served_instance(module: Module, owner: str) -> bool:
    """Whether the module makes one instance, and functions that serve requests use it."""
    for statement in module.tree.body:
        if (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Call)
            and dotted(statement.value.func) == owner
        ):
            return any(
                isinstance(node, ast.ImportFrom | ast.Import) and imports(node, "gradio", "fastapi", "flask")
                for node in module.nodes
            )
    return False

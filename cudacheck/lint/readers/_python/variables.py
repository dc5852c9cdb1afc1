"""Environment variables that are set, and what of torch ran before."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cudacheck.lint.facts import Place, Setter, Variable
from cudacheck.lint.readers._python.module import Function, Module, imports


def variables(module: Module) -> Iterator[Variable]:
    single = ((node, _environ(module, node)) for node in [*module.of(ast.Assign), *module.of(ast.Call)])
    unions: list[ast.Call | ast.AugAssign] = [*module.of(ast.AugAssign), *module.of(ast.Call)]
    several = ((node, pair) for node in unions for pair in _merged(module, node))
    for node, pair in [*single, *several]:
        if pair is None:
            continue
        name, value, place = pair
        literal = value.value if isinstance(value, ast.Constant) else None
        kind = type(literal).__name__ if isinstance(value, ast.Constant) else "str"
        text = literal if isinstance(literal, str) else None if literal is None else str(literal)
        before, branched = _before(module, node), _branched(module, node)
        yield Variable(name, text, place, Setter.PYTHON, module.context.scope, kind, before, branched)


def _environ(module: Module, node: ast.AST) -> tuple[str, ast.expr, Place] | None:
    """os.environ["NAME"] = value, os.environ.setdefault, os.putenv."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
        key = target.slice
        if module.named(target.value) == "os.environ" and isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value, node.value, module.place(node)
    if (
        isinstance(node, ast.Call)
        and module.named(node.func) in {"os.environ.setdefault", "os.putenv"}
        and len(node.args) == 2
    ):
        key = node.args[0]
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value, node.args[1], module.place(node)
    return None


def _merged(module: Module, node: ast.Call | ast.AugAssign) -> Iterator[tuple[str, ast.expr, Place]]:
    """os.environ.update({"NAME": value}, NAME=value), os.environ |= {"NAME": value}."""
    given: list[ast.expr] = []
    if isinstance(node, ast.AugAssign):
        given = [node.value] if module.named(node.target) == "os.environ" else []
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        if module.named(node.func) != "os.environ.update":
            return
        given = node.args
        yield from ((word.arg, word.value, module.place(word)) for word in node.keywords if word.arg)
    for value in given:
        for key, item in zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, item, module.place(item)


def _before(module: Module, node: ast.AST) -> str:
    """What of torch runs before this, on the same level of the module."""
    statement: ast.AST = node
    while statement in module.parents and not isinstance(module.parents[statement], ast.Module):
        statement = module.parents[statement]
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If | ast.Try):
            return ""
    earlier = ""
    for other in module.tree.body:
        if other is statement:
            return earlier
        if isinstance(other, ast.Import | ast.ImportFrom) and imports(other, "torch"):
            earlier = earlier or "import torch"
        if isinstance(other, ast.Assign | ast.Expr | ast.If) and (used := _cuda_use(module, other)):
            earlier = used
    return ""


def _branched(module: Module, node: ast.AST) -> bool:
    """Whether it stands in a branch or a function, which need not be taken."""
    parent = module.parents.get(node)
    while parent is not None and not isinstance(parent, ast.If | ast.Try | Function | ast.Match):
        parent = module.parents.get(parent)
    return parent is not None


def _cuda_use(module: Module, statement: ast.stmt) -> str:
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            name = module.named(node.func)
            if name in {
                "torch.cuda.is_available",
                "torch.cuda.init",
                "torch.cuda.set_device",
            }:
                return name
            if name.endswith(".cuda") and not name.startswith("torch.cuda"):
                return name
            if _on_cuda(node, name):
                return ast.unparse(node.func)
    return ""


def _on_cuda(call: ast.Call, name: str) -> bool:
    """`x.to("cuda")`, and `torch.zeros(1, device="cuda")`."""
    device = next((k.value for k in call.keywords if k.arg == "device"), None)
    if device is None and isinstance(call.func, ast.Attribute) and call.func.attr == "to" and call.args:
        device = call.args[0]
    elif not name.startswith("torch.") or name in {"torch.device", "torch.load"}:
        return False
    value = device.value if isinstance(device, ast.Constant) else None
    return isinstance(value, str) and value.partition(":")[0] == "cuda"

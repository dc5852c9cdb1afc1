"""CUDA-graph captures: what is recorded, how it was warmed up, whether it is ever replayed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cudacheck.lint.facts import GraphCapture, Place
from cudacheck.lint.readers._python.module import Module, decorator, dotted

_SYNCS = {"item", "cpu", "tolist", "numpy", "nonzero", "generate", "synchronize"}


def captures(module: Module) -> Iterator[GraphCapture]:
    for node in module.of(ast.With):
        for item in node.items:
            expression = item.context_expr
            if (
                isinstance(expression, ast.Call)
                and module.named(expression.func) == "torch.cuda.graph"
                and expression.args
            ):
                yield _capture(module, node, dotted(expression.args[0]))


def _capture(module: Module, node: ast.With, graph: str) -> GraphCapture:
    inner = [part for statement in node.body for part in ast.walk(statement)]
    around = module.inside(node) or module.tree
    outside = [*ast.walk(around)]
    models = [call for call in inner if isinstance(call, ast.Call) and _is_model(module, call.func)]
    modules = models or [call for call in inner if isinstance(call, ast.Call) and _is_module(module, call.func)]
    growing = [call for call in models if _grows(module, call)]
    return GraphCapture(
        graph,
        module.head(node),
        _replayed(module, graph, node) or _tests(module, node),
        _warmed_up(module, node, outside),
        tuple(_syncs(module, inner)),
        module.place(models[0]) if models else None,
        module.place(growing[0]) if growing else None,
        module.place(modules[0]) if modules else None,
        static_cache=_static_cache(module.text),
        gradients_off=_gradients_off(module, node),
        backward=any(part.attr == "backward" for part in module.of(ast.Attribute)),
        frozen_shape=_unpadded(module, outside),
    )


def _static_cache(text: str) -> bool:
    return "StaticCache" in text or ("static" in text and "cache_implementation" in text)


def _is_model(module: Module, function: ast.expr) -> bool:
    name = dotted(function)
    return module.objects.get(name, "").endswith(".from_pretrained") and "Token" not in module.objects[name]


def _is_module(module: Module, function: ast.expr) -> bool:
    maker = module.objects.get(dotted(function), "")
    return maker.startswith("torch.nn.") and not maker.startswith("torch.nn.functional.")


def _grows(module: Module, call: ast.Call) -> bool:
    """Whether it is a model that generates text, called with its cache."""
    kind = module.objects[dotted(call.func)].removesuffix(".from_pretrained").rpartition(".")[2]
    off = any(k.arg == "use_cache" and isinstance(k.value, ast.Constant) and not k.value.value for k in call.keywords)
    return kind.endswith(("ForCausalLM", "ForConditionalGeneration", "ForSeq2SeqLM", "LMHeadModel")) and not off


def _replayed(module: Module, graph: str, capture: ast.With) -> bool:
    """Replayed by its own name or attribute; or handed on to where it may be."""
    last = graph.rpartition(".")[2]
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in {"replay", "raw_cuda_graph"}:
            owner = dotted(node.value)
            if not owner or owner.rpartition(".")[2] == last or "." not in graph or owner == "graph":
                return True
    return _escapes(module, graph, capture)


def _tests(module: Module, capture: ast.With) -> bool:
    """Whether it stands in a test: what is asked there may be the capture alone, or that it raises."""
    function = module.inside(capture)
    return function is not None and function.name.startswith("test")


def _escapes(module: Module, graph: str, capture: ast.With) -> bool:
    for node in module.nodes:
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None and _mentions(node.value, graph):
            return True
        if isinstance(node, ast.Assign) and node.lineno > capture.lineno and _mentions(node.value, graph):
            return True
        if isinstance(node, ast.Call) and module.named(node.func) != "torch.cuda.graph":
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(dotted(value) == graph for value in handed):
                return True
    return False


def _mentions(value: ast.expr, graph: str) -> bool:
    return any(isinstance(part, ast.Name | ast.Attribute) and dotted(part) == graph for part in ast.walk(value))


def _warmed_up(module: Module, capture: ast.With, outside: list[ast.AST]) -> str:
    """How the captured calls ran before: on a side stream, on the default one, or not at all."""
    names = {name for _, name in module.called}
    if "torch.cuda.Stream" in names or any(name.endswith((".wait_stream", "warmup", "warm_up")) for name in names):
        return "side stream"
    called = {dotted(n.func) for s in capture.body for n in ast.walk(s) if isinstance(n, ast.Call)} - {""}
    if not called:
        return "side stream"  # element-wise work alone: nothing that sets itself up
    before = [n for n in outside if isinstance(n, ast.Call) and n.lineno < capture.lineno]
    return "default stream" if any(dotted(call.func) in called for call in before) else ""


def _syncs(module: Module, inner: list[ast.AST]) -> Iterator[tuple[str, Place]]:
    for node in inner:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SYNCS:
            yield f"{node.func.attr}()", module.place(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_masked(node):
            yield "indexing by a mask", module.place(node)


def _is_masked(node: ast.Subscript) -> bool:
    """`x[x < 0]`: how many that are only the GPU knows."""
    return isinstance(node.slice, ast.Compare) and dotted(node.slice.left) == dotted(node.value) != ""


def _gradients_off(module: Module, node: ast.AST) -> bool:
    names = {"no_grad", "inference_mode", "set_grad_enabled"}
    current: ast.AST | None = node
    while current is not None:
        if isinstance(current, ast.With) and any(
            module.named(i.context_expr.func if isinstance(i.context_expr, ast.Call) else i.context_expr).rpartition(
                "."
            )[2]
            in names
            for i in current.items
        ):
            return True
        if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            decorator(d) in names for d in current.decorator_list
        ):
            return True
        current = module.parents.get(current)
    return "set_grad_enabled" in module.text or "requires_grad_(False)" in module.text


def _unpadded(module: Module, outside: list[ast.AST]) -> Place | None:
    for node in outside:
        if isinstance(node, ast.Call):
            keywords = {k.arg: k.value for k in node.keywords}
            padding = keywords.get("padding")
            fixed = isinstance(padding, ast.Constant) and padding.value == "max_length"
            if "return_tensors" in keywords and "max_length" in keywords and "truncation" in keywords and not fixed:
                return module.place(node)
    return None

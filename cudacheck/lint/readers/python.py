"""Python, by `ast`: calls named by what was imported, variables, handlers, CUDA-graph captures. Nothing is run."""

from __future__ import annotations

import ast
import collections
import dataclasses
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

from cudacheck.lint.facts import (
    Argument,
    Call,
    Command,
    GraphCapture,
    Handler,
    Place,
    RecipeKind,
    Setter,
    SharedCache,
    SwitchRead,
    Variable,
)
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader, Unread

_OF_INTEREST = re.compile(
    r"environ|putenv|from_pretrained|cuda\.graph|gradio|cudnn|past_key_values|\.cache/huggingface|pipeline\("
    r"|nvidia|--gpus|^[ \t]*[!%]",
    re.MULTILINE,
)
"""A file without any of these has nothing that a fact is made of: most files are not parsed."""
_MAGIC = re.compile(r"^([ \t]*)[!%].*$", re.MULTILINE)
_PROMPT = re.compile(r"^(>>> ?|\.\.\. ?)", re.MULTILINE)
_SYNCS = {"item", "cpu", "tolist", "numpy", "nonzero", "generate", "synchronize"}
_EVENTS = {"click", "submit", "change", "input", "select", "upload", "then", "success", "release"}
_ROUTES = {"get", "post", "put", "api_route", "websocket"}
_CACHES = {"lru_cache", "cache", "cached", "cache_resource", "cached_property"}

_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
N = TypeVar("N", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def read(text: str, context: Context) -> Found:
    """The facts of a module, or of a piece of one."""
    if not _OF_INTEREST.search(text):
        return []
    found: Found = []
    for magic in _MAGIC.finditer(text):
        row = text.count("\n", 0, magic.start())
        found.append(Embedded(RecipeKind.SHELL, magic[0], dataclasses.replace(context, line=context.line + row)))
    text = _MAGIC.sub(lambda match: f"{match[1]}pass", text)
    if _PROMPT.match(text):
        text = "\n".join(_PROMPT.sub("", line) if _PROMPT.match(line) else "" for line in text.split("\n"))
    dedented = textwrap.dedent(text)
    first = next((line for line in text.split("\n") if line.strip()), "")
    cut = len(first) - len(next((line for line in dedented.split("\n") if line.strip()), ""))
    context = dataclasses.replace(context, column=context.column + max(cut, 0))
    try:
        tree = ast.parse(dedented)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = context.line + (getattr(error, "lineno", None) or 1)
        return [*found, Unread("this does not parse as Python 3", Place(line, 1, line, 1))]
    module = Module(tree, dedented, context)
    try:
        return [*found, *module.facts()]
    except RecursionError:
        return [*found, Unread("this Python is nested too deeply", Place(context.line + 1, 1, context.line + 1, 1))]


class Module:
    """One parsed module: names, parents and what follows from them."""

    def __init__(self, tree: ast.Module, text: str, context: Context) -> None:
        self.tree, self.text, self.context = tree, text, context
        self.nodes: list[ast.AST] = [tree]
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in self.nodes:  # as ast.walk does, in the order of the file by depth
            for child in _children(node):
                self.parents[child] = node
                self.nodes.append(child)
        self.by_type: dict[type[ast.AST], list[Any]] = collections.defaultdict(list)
        for node in self.nodes:
            self.by_type[type(node)].append(node)
        self.byte_lines = text.encode("utf-8", "replace").split(b"\n")
        self.ascii = text.isascii()

    def facts(self) -> Iterator[object]:
        yield from self._calls()
        yield from self._variables()
        yield from self._handlers()
        yield from self._captures()
        yield from self._caches()
        yield from self._switches()
        yield from self._subprocesses()

    def of(self, kind: type[N]) -> list[N]:
        """All nodes of one type."""
        return self.by_type[kind]

    # Places and names

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
    def packages(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imported.values()}

    @cached_property
    def objects(self) -> dict[str, str]:
        """Names (`demo`, `self.model`) with the call that made them, where it is one alone."""
        made: dict[str, set[str]] = {}
        for target, value in self._given_names():
            if name := _dotted(target):
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
            name = _dotted(value.func)
            head, _, rest = name.partition(".")
            if head in self.imported:
                return f"{self.imported[head]}.{rest}".rstrip(".")
            # model.eval(), model.to("cuda") give the model back.
            if isinstance(value.func, ast.Attribute) and value.func.attr in {
                "to",
                "cuda",
                "eval",
                "half",
                "bfloat16",
                "queue",
            }:
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
        name = _dotted(function)
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

    # Calls

    def _calls(self) -> Iterator[Call]:
        for node in self.of(ast.Call):
            name = self.named(node.func)
            if name and (self._is_foreign(node.func, name) or self._names_a_path(node)):
                yield self._call(node, name)

    def _is_foreign(self, function: ast.expr, name: str) -> bool:
        """Whether what is called comes from a package: most calls are of the file's own functions."""
        return name.partition(".")[0] in self.packages or name != _dotted(function)

    def _names_a_path(self, node: ast.Call) -> bool:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return any(isinstance(v, ast.Constant) and isinstance(v.value, str) and "/" in v.value for v in given)

    def _call(self, node: ast.Call, name: str) -> Call:
        function = self.inside(node)
        keywords = {k.arg: self._argument(k.value, k) for k in node.keywords if k.arg}
        starred = any(k.arg is None for k in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args)
        return Call(
            name,
            keywords,
            tuple(self._argument(value) for value in node.args),
            self.place(node),
            starred,
            function.name if function else "",
            self._guarded(node, function),
        )

    def _argument(self, value: ast.expr, keyword: ast.keyword | None = None) -> Argument:
        place = self.place(keyword) if keyword else self.place(value)
        source = self._source(value)
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

    def _source(self, node: ast.expr) -> str:
        dotted = _dotted(node)
        if dotted:
            head, _, rest = dotted.partition(".")
            return f"{self.imported.get(head, head)}.{rest}".rstrip(".")
        # ast.get_source_segment splits the whole text again for every node.
        line = self.byte_lines[node.lineno - 1]
        end = node.end_col_offset if node.end_lineno == node.lineno else len(line)
        return line[node.col_offset : end].decode("utf-8", "replace")[:200]

    def _guarded(self, node: ast.Call, function: Function | None) -> bool:
        if function is not None and any(self._decorator(d) in _CACHES for d in function.decorator_list):
            return True
        parent = self.parents.get(node)
        while parent is not None and parent is not function:
            if isinstance(parent, ast.If):
                return True
            parent = self.parents.get(parent)
        return False

    def _decorator(self, node: ast.expr) -> str:
        return _dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]

    # Variables

    def _variables(self) -> Iterator[Variable]:
        for node in [*self.of(ast.Assign), *self.of(ast.Call)]:
            pair = self._environ(node)
            if pair is None:
                continue
            name, value, place = pair
            literal = value.value if isinstance(value, ast.Constant) else None
            kind = type(literal).__name__ if isinstance(value, ast.Constant) else "str"
            text = literal if isinstance(literal, str) else None if literal is None else str(literal)
            before, branched = self._before(node), self._branched(node)
            yield Variable(name, text, place, Setter.PYTHON, self.context.scope, kind, before, branched)

    def _environ(self, node: ast.AST) -> tuple[str, ast.expr, Place] | None:
        """os.environ["NAME"] = value, os.environ.setdefault, os.putenv."""
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            key = target.slice
            if (
                self.named(target.value) == "os.environ"
                and isinstance(key, ast.Constant)
                and isinstance(key.value, str)
            ):
                return key.value, node.value, self.place(node)
        if (
            isinstance(node, ast.Call)
            and self.named(node.func) in {"os.environ.setdefault", "os.putenv"}
            and len(node.args) == 2
        ):
            key = node.args[0]
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                return key.value, node.args[1], self.place(node)
        return None

    def _before(self, node: ast.AST) -> str:
        """What of torch runs before this, on the same level of the module."""
        statement: ast.AST = node
        while statement in self.parents and not isinstance(self.parents[statement], ast.Module):
            statement = self.parents[statement]
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If | ast.Try):
                return ""
        earlier = ""
        for other in self.tree.body:
            if other is statement:
                return earlier
            if isinstance(other, ast.Import | ast.ImportFrom) and _imports(other, "torch"):
                earlier = earlier or "import torch"
            if isinstance(other, ast.Assign | ast.Expr | ast.If) and (used := self._cuda_use(other)):
                earlier = used
        return ""

    def _branched(self, node: ast.AST) -> bool:
        """Whether it stands in a branch or a function, which need not be taken."""
        parent = self.parents.get(node)
        while parent is not None and not isinstance(parent, ast.If | ast.Try | Function | ast.Match):
            parent = self.parents.get(parent)
        return parent is not None

    def _cuda_use(self, statement: ast.stmt) -> str:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                name = self.named(node.func)
                if name in {
                    "torch.cuda.is_available",
                    "torch.cuda.init",
                    "torch.cuda.set_device",
                }:
                    return name
                if name.endswith(".cuda") and not name.startswith("torch.cuda"):
                    return name
                if self._on_cuda(node, name):
                    return ast.unparse(node.func)
        return ""

    def _on_cuda(self, call: ast.Call, name: str) -> bool:
        """`x.to("cuda")`, and `torch.zeros(1, device="cuda")`."""
        device = next((k.value for k in call.keywords if k.arg == "device"), None)
        if device is None and isinstance(call.func, ast.Attribute) and call.func.attr == "to" and call.args:
            device = call.args[0]
        elif not name.startswith("torch.") or name in {"torch.device", "torch.load"}:
            return False
        value = device.value if isinstance(device, ast.Constant) else None
        return isinstance(value, str) and value.partition(":")[0] == "cuda"

    # Handlers

    def _handlers(self) -> Iterator[Handler]:
        defined: list[Function] = [*self.of(ast.FunctionDef), *self.of(ast.AsyncFunctionDef)]
        functions = {node.name: node for node in defined}
        seen: set[str] = set()
        for node in [*self.of(ast.Call), *defined]:
            for name, framework, limited in self._served(node):
                if name in functions and name not in seen:
                    seen.add(name)
                    yield Handler(name, self.head(functions[name]), framework, limited)

    def _served(self, node: ast.AST) -> Iterator[tuple[str, str, bool]]:
        if isinstance(node, ast.Call) and "gradio" in self.imported.values():
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            keywords = {k.arg: k.value for k in node.keywords}
            limited = "concurrency_limit" in keywords or None in keywords
            if method in _EVENTS or self.named(node.func) in {"gradio.Interface", "gradio.ChatInterface"}:
                candidates = [*node.args[:1], *filter(None, [keywords.get("fn")])]
                for value in candidates:
                    if isinstance(value, ast.Name):
                        yield value.id, "Gradio", limited
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                    owner = self.objects.get(_dotted(decorator.func.value), "")
                    if decorator.func.attr in _ROUTES and owner.startswith(("fastapi.", "flask.")):
                        yield node.name, "FastAPI", True

    # CUDA graphs

    def _captures(self) -> Iterator[GraphCapture]:
        for node in self.of(ast.With):
            for item in node.items:
                expression = item.context_expr
                if (
                    isinstance(expression, ast.Call)
                    and self.named(expression.func) == "torch.cuda.graph"
                    and expression.args
                ):
                    yield self._capture(node, _dotted(expression.args[0]))

    def _capture(self, node: ast.With, graph: str) -> GraphCapture:
        inner = [part for statement in node.body for part in ast.walk(statement)]
        around = self.inside(node) or self.tree
        outside = [*ast.walk(around)]
        models = [call for call in inner if isinstance(call, ast.Call) and self._is_model(call.func)]
        modules = models or [call for call in inner if isinstance(call, ast.Call) and self._is_module(call.func)]
        growing = [call for call in models if self._grows(call)]
        return GraphCapture(
            graph,
            self.head(node),
            self._replayed(graph, node) or self._tests(node),
            self._warmed_up(node, outside),
            tuple(self._syncs(inner)),
            self.place(models[0]) if models else None,
            self.place(growing[0]) if growing else None,
            self.place(modules[0]) if modules else None,
            static_cache="StaticCache" in self.text or ("static" in self.text and "cache_implementation" in self.text),
            gradients_off=self._gradients_off(node),
            backward=any(part.attr == "backward" for part in self.of(ast.Attribute)),
            frozen_shape=self._unpadded(outside),
        )

    def _is_model(self, function: ast.expr) -> bool:
        name = _dotted(function)
        return self.objects.get(name, "").endswith(".from_pretrained") and "Token" not in self.objects[name]

    def _is_module(self, function: ast.expr) -> bool:
        maker = self.objects.get(_dotted(function), "")
        return maker.startswith("torch.nn.") and not maker.startswith("torch.nn.functional.")

    def _grows(self, call: ast.Call) -> bool:
        """Whether it is a model that generates text, called with its cache."""
        kind = self.objects[_dotted(call.func)].removesuffix(".from_pretrained").rpartition(".")[2]
        off = any(
            k.arg == "use_cache" and isinstance(k.value, ast.Constant) and not k.value.value for k in call.keywords
        )
        return kind.endswith(("ForCausalLM", "ForConditionalGeneration", "ForSeq2SeqLM", "LMHeadModel")) and not off

    def _replayed(self, graph: str, capture: ast.With) -> bool:
        """Replayed by its own name or attribute; or handed on to where it may be."""
        last = graph.rpartition(".")[2]
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and node.attr in {"replay", "raw_cuda_graph"}:
                owner = _dotted(node.value)
                if not owner or owner.rpartition(".")[2] == last or "." not in graph or owner == "graph":
                    return True
        return self._escapes(graph, capture)

    def _tests(self, capture: ast.With) -> bool:
        """Whether it stands in a test: what is asked there may be the capture alone, or that it raises."""
        function = self.inside(capture)
        return function is not None and function.name.startswith("test")

    def _escapes(self, graph: str, capture: ast.With) -> bool:
        for node in self.nodes:
            if (
                isinstance(node, ast.Return | ast.Yield)
                and node.value is not None
                and self._mentions(node.value, graph)
            ):
                return True
            if isinstance(node, ast.Assign) and node.lineno > capture.lineno and self._mentions(node.value, graph):
                return True
            if isinstance(node, ast.Call) and self.named(node.func) != "torch.cuda.graph":
                handed = [*node.args, *(keyword.value for keyword in node.keywords)]
                if any(_dotted(value) == graph for value in handed):
                    return True
        return False

    def _mentions(self, value: ast.expr, graph: str) -> bool:
        return any(isinstance(part, ast.Name | ast.Attribute) and _dotted(part) == graph for part in ast.walk(value))

    def _warmed_up(self, capture: ast.With, outside: list[ast.AST]) -> str:
        """How the captured calls ran before: on a side stream, on the default one, or not at all."""
        names = {self.named(node.func) for node in self.of(ast.Call)}
        if "torch.cuda.Stream" in names or any(name.endswith((".wait_stream", "warmup", "warm_up")) for name in names):
            return "side stream"
        called = {_dotted(n.func) for s in capture.body for n in ast.walk(s) if isinstance(n, ast.Call)} - {""}
        if not called:
            return "side stream"  # element-wise work alone: nothing that sets itself up
        before = [n for n in outside if isinstance(n, ast.Call) and n.lineno < capture.lineno]
        return "default stream" if any(_dotted(call.func) in called for call in before) else ""

    def _syncs(self, inner: list[ast.AST]) -> Iterator[tuple[str, Place]]:
        for node in inner:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SYNCS:
                yield node.func.attr, self.place(node)

    def _gradients_off(self, node: ast.AST) -> bool:
        names = {"no_grad", "inference_mode", "set_grad_enabled"}
        current: ast.AST | None = node
        while current is not None:
            if isinstance(current, ast.With) and any(
                self.named(i.context_expr.func if isinstance(i.context_expr, ast.Call) else i.context_expr).rpartition(
                    "."
                )[2]
                in names
                for i in current.items
            ):
                return True
            if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                self._decorator(d) in names for d in current.decorator_list
            ):
                return True
            current = self.parents.get(current)
        return "set_grad_enabled" in self.text or "requires_grad_(False)" in self.text

    def _unpadded(self, outside: list[ast.AST]) -> Place | None:
        for node in outside:
            if isinstance(node, ast.Call):
                keywords = {k.arg: k.value for k in node.keywords}
                padding = keywords.get("padding")
                fixed = isinstance(padding, ast.Constant) and padding.value == "max_length"
                if "return_tensors" in keywords and "max_length" in keywords and "truncation" in keywords and not fixed:
                    return self.place(node)
        return None

    # Caches and switches

    def _caches(self) -> Iterator[SharedCache]:
        for owner in self.of(ast.ClassDef):
            parts = [*ast.walk(owner)]
            loads = any(isinstance(p, ast.Call) and self.named(p.func).endswith("from_pretrained") for p in parts)
            for part in parts:
                if (
                    isinstance(part, ast.Assign)
                    and isinstance(part.value, ast.Attribute)
                    and part.value.attr == "past_key_values"
                ):
                    name = _dotted(part.targets[0])
                    if name.startswith("self.") and (loads or self._served_instance(owner.name)):
                        yield SharedCache(name, owner.name, self.place(part))
                        break

    def _served_instance(self, owner: str) -> bool:
        """Whether the module makes one instance, and functions that serve requests use it."""
        for statement in self.tree.body:
            if (
                isinstance(statement, ast.Assign)
                and isinstance(statement.value, ast.Call)
                and _dotted(statement.value.func) == owner
            ):
                return any(
                    isinstance(node, ast.ImportFrom | ast.Import) and _imports(node, "gradio", "fastapi", "flask")
                    for node in self.nodes
                )
        return False

    def _switches(self) -> Iterator[SwitchRead]:
        for node in self.of(ast.Attribute):
            if isinstance(node.ctx, ast.Load) and node.attr == "enabled":
                parent = self.parents.get(node)
                told = isinstance(parent, ast.Assert | ast.FormattedValue) or (
                    isinstance(parent, ast.Call) and _dotted(parent.func) == "print"
                )
                if told and self.named(node) == "torch.backends.cudnn.enabled":
                    yield SwitchRead("torch.backends.cudnn.enabled", self.place(node))

    def _subprocesses(self) -> Iterator[Command]:
        for node in self.of(ast.Call):
            if self.named(node.func).startswith("subprocess.") and node.args:
                value = node.args[0]
                if isinstance(value, ast.List) and all(
                    isinstance(e, ast.Constant) and isinstance(e.value, str) for e in value.elts
                ):
                    words = tuple(str(element.value) for element in value.elts if isinstance(element, ast.Constant))
                    yield Command(words, self.place(node), self.context.scope, tolerated=True)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The children that may hold more, or are looked at: no names, constants and operators."""
    for name in node._fields:
        value = getattr(node, name, None)
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                yield child


def _dotted(node: ast.AST) -> str:
    """`a.b.c`; empty for what is no plain name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _imports(node: ast.stmt, *packages: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in packages for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in packages


READER = Reader(read=read, kinds=(RecipeKind.PYTHON,))

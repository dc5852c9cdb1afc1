"""YAML, by PyYAML's composer, whose nodes have places: compose, Kubernetes, workflows, conda environments."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from cudacheck.lint.facts import (
    ContainerRun,
    Image,
    Install,
    Place,
    PythonVersion,
    RecipeKind,
    Service,
    Setter,
    Tool,
    Variable,
)
from cudacheck.lint.readers._base import Context, Embedded, Found, Reader, Unread
from cudacheck.lint.readers._commands import conda_requirement, requirement

MAX_NODES = 50_000
HOSTED = re.compile(r"(ubuntu|windows|macos)-(latest|\d[\w.-]*)$")


def read(text: str, context: Context) -> Found:
    """The facts of every document of a file; aliases are followed once, so that they cannot multiply."""
    import yaml

    try:
        documents = [*yaml.compose_all(text, Loader=yaml.SafeLoader)]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = context.line + (mark.line + 1 if mark else 1)
        return [Unread("this does not parse as YAML", Place(line, 1, line, 1))]
    found: Found = []
    for document in documents:
        if document is not None:
            found += _Document(document, text, context).facts()
    return found


class _Document:
    def __init__(self, root: Any, text: str, context: Context) -> None:
        self.root, self.text, self.context = root, text, context

    def facts(self) -> Iterator[object]:
        top = self.map(self.root)
        if "services" in top:
            yield from self._compose(top["services"])
        elif "dependencies" in top and ("channels" in top or "name" in top):
            yield from self._conda(top)
        elif "apiVersion" in top and "kind" in top:
            yield from self._kubernetes()
        elif "jobs" in top:
            yield from self._workflow(top)
        elif self.context.path.endswith(".gitlab-ci.yml"):
            yield from self._gitlab(top)

    # Nodes

    def map(self, node: Any) -> dict[str, Any]:
        return {str(k.value): v for k, v in node.value} if node is not None and node.id == "mapping" else {}

    def items(self, node: Any) -> list[Any]:
        return [*node.value] if node is not None and node.id == "sequence" else []

    def scalar(self, node: Any) -> str:
        return str(node.value) if node is not None and node.id == "scalar" else ""

    def place(self, node: Any) -> Place:
        start, end = node.start_mark, node.end_mark
        line = end.line if node.id == "scalar" else start.line
        return self.context.place(
            start.line + 1, start.column + 1, line + 1, (end.column if node.id == "scalar" else start.column + 1) + 1
        )

    def _variables(self, node: Any, setter: Setter, scope: str) -> Iterator[Variable]:
        for name, value in self.map(node).items():
            yield Variable(name, self.scalar(value) if value.id == "scalar" else None, self.place(value), setter, scope)
        for item in self.items(node):
            if item.id == "mapping":  # Kubernetes: name and value
                pair = self.map(item)
                if "value" in pair:
                    yield Variable(
                        self.scalar(pair.get("name")),
                        self.scalar(pair["value"]),
                        self.place(pair["value"]),
                        setter,
                        scope,
                    )
                continue
            name, equals, value = self.scalar(item).partition("=")
            if equals:
                yield Variable(name, None if "$" in value else value, self.place(item), setter, scope)

    # Formats

    def _compose(self, services: Any) -> Iterator[object]:
        for name, node in self.map(services).items():
            service = self.map(node)
            scope = f"service {name}"
            image = (
                Image(self.scalar(service["image"]), self.place(service["image"]), scope)
                if "image" in service
                else None
            )
            if image:
                yield image
            variables = [*self._variables(service.get("environment"), Setter.CONTAINER, scope)]
            yield from variables
            yield self._service(name, node, service, image, variables)

    def _service(
        self, name: str, node: Any, service: dict[str, Any], image: Image | None, variables: list[Variable]
    ) -> Service:
        deploy = self.map(service.get("deploy"))
        reservations = self.map(self.map(deploy.get("resources")).get("reservations"))
        devices = self.items(reservations.get("devices"))
        without = next((d for d in devices if "capabilities" not in self.map(d)), None)
        unclear = any(key in service for key in ("extends", "<<"))
        return Service(
            name,
            self.place(node),
            image,
            gpu_reserved=bool(devices) or "gpus" in service or "runtime" in service or self._handed(service) or unclear,
            asks_for_gpu=next(
                (
                    f"{v.name}={v.value}"
                    for v in variables
                    if v.name == "NVIDIA_VISIBLE_DEVICES" and v.value not in {"", "void", "none"}
                ),
                "",
            ),
            devices_without_capabilities=self.place(without) if without is not None else None,
        )

    def _handed(self, service: dict[str, Any]) -> bool:
        """Whether `devices` hands GPUs over: by CDI (`nvidia.com/gpu=all`), or as files."""
        return any(
            self.scalar(item).startswith(("nvidia.com/", "/dev/nvidia")) for item in self.items(service.get("devices"))
        )

    def _conda(self, top: dict[str, Any]) -> Iterator[object]:
        channels = [self.scalar(channel) for channel in self.items(top.get("channels"))]
        asked = []
        for item in self.items(top["dependencies"]):
            if item.id == "mapping":
                yield from self._pip(self.map(item).get("pip"))
                continue
            found = conda_requirement(self.scalar(item), self.place(item))
            if found:
                asked.append(found)
                version = found.specifier.strip("= *")
                if found.name == "python" and re.fullmatch(r"3\.\d+(\.\d+)?", version):
                    yield PythonVersion(version, found.place, "file")
        place = self.place(top["channels"]) if "channels" in top else None
        yield Install(
            Tool.CONDA,
            tuple(asked),
            self.place(top["dependencies"]),
            channels=tuple(channels),
            channel_place=place,
            scope="file",
            from_file=True,
        )

    def _pip(self, node: Any) -> Iterator[Install]:
        from cudacheck.lint.readers import requirements

        asked, options = [], []
        for item in self.items(node):
            text = self.scalar(item)
            if text.startswith("-"):
                options.append(requirements.read(text, dataclasses.replace(self.context, line=item.start_mark.line))[0])
            elif found := requirement(text, self.place(item)):
                asked.append(found)
        indexes = tuple(index for option in options for index in option.indexes)
        links = tuple(link for option in options for link in option.find_links)
        if node is not None:
            yield Install(
                Tool.PIP, tuple(asked), self.place(node), indexes, links, isolated=None, scope="file", from_file=True
            )

    def _kubernetes(self) -> Iterator[object]:
        for mapping in self._mappings():
            if "image" in mapping and mapping["image"].id == "scalar" and "name" in mapping:
                scope = f"container {self.scalar(mapping['name'])}"
                yield Image(self.scalar(mapping["image"]), self.place(mapping["image"]), scope)
                yield from self._variables(mapping.get("env"), Setter.CONTAINER, scope)

    def _mappings(self) -> Iterator[dict[str, Any]]:
        seen: set[int] = set()
        stack = [self.root]
        while stack and len(seen) < MAX_NODES:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if node.id == "mapping":
                yield self.map(node)
                stack += [value for _, value in node.value]
            elif node.id == "sequence":
                stack += node.value

    def _workflow(self, top: dict[str, Any]) -> Iterator[object]:
        yield from self._variables(top.get("env"), Setter.WORKFLOW, "workflow")
        for name, node in self.map(top["jobs"]).items():
            job = self.map(node)
            yield from self._variables(job.get("env"), Setter.WORKFLOW, f"job {name}")
            runner = self.scalar(job.get("runs-on"))
            hosted = runner if HOSTED.match(runner) else ""
            container = job.get("container")
            image = (
                self.map(container).get("image") if container is not None and container.id == "mapping" else container
            )
            if self.scalar(image):
                yield Image(self.scalar(image), self.place(image), f"job {name}")
            if container is not None and container.id == "mapping":
                yield from self._runs_with(self.map(container).get("options"), hosted)
            for step in self.items(job.get("steps")):
                yield from self._variables(self.map(step).get("env"), Setter.WORKFLOW, f"job {name}")
                yield from self._step(self.map(step), f"job {name}", hosted)

    def _runs_with(self, options: Any, hosted: str) -> Iterator[ContainerRun]:
        """A job's container with `--gpus`."""
        if match := re.search(r"--gpus[ =]+(\S+)", self.scalar(options)):
            place = self.place(options)
            yield ContainerRun(place, match[1].strip("'\""), dataclasses.replace(place, exact=False), hosted)

    def _gitlab(self, top: dict[str, Any]) -> Iterator[object]:
        for name, node in top.items():
            job = self.map(node)
            image = job.get("image")
            named = self.map(image).get("name") if image is not None and image.id == "mapping" else image
            if self.scalar(named):
                yield Image(self.scalar(named), self.place(named), f"job {name}")
            for key in ("before_script", "script"):
                lines = job.get(key)
                for line in [lines] if self.scalar(lines) else self.items(lines):
                    yield from self._shell(line, f"job {name}")

    def _step(self, step: dict[str, Any], scope: str, hosted: str) -> Iterator[object]:
        run = step.get("run")
        if (
            run is None
            or run.id != "scalar"
            or self.scalar(step.get("shell")) in {"python", "pwsh", "powershell", "cmd"}
        ):
            return
        tolerated = self.scalar(step.get("continue-on-error")) == "true"
        yield from self._shell(run, scope, "" if tolerated else hosted)

    def _shell(self, run: Any, scope: str, hosted: str = "") -> Iterator[Embedded]:
        """A scalar that holds commands."""
        if run.id != "scalar":
            return
        block = run.style in {"|", ">"}
        start = run.start_mark
        line, column, text = start.line, start.column, self.scalar(run)
        if block:
            raw = self.text.split("\n")[line + 1 : line + 2]
            column, line = (len(raw[0]) - len(raw[0].lstrip()) if raw else 0), line + 1
        inner = dataclasses.replace(
            self.context,
            line=self.context.line + line,
            column=self.context.column + column,
            scope=scope,
            hosted_runner=hosted,
            exact=run.style in {None, "|"},
            flat=run.style != "|" and run.end_mark.line != start.line,
        )
        yield Embedded(RecipeKind.SHELL, text, inner)


READER = Reader(read=read, kinds=(RecipeKind.COMPOSE, RecipeKind.KUBERNETES, RecipeKind.WORKFLOW, RecipeKind.CONDA))

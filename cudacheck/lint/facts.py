"""What a recipe says, as typed facts, each with its place. Rules see these, never text."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from typing import Any, TypeVar

from cudacheck.remedies.torch_choice import Machine

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """Where in its file something stands: lines and columns from 1, the end exclusive."""

    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0
    exact: bool = dataclasses.field(default=True, compare=False)
    """Whether the file has there, letter for letter, what was read."""

    def shifted(self, lines: int, columns: int = 0) -> Place:
        return Place(self.line + lines, self.column + columns, self.end_line + lines, self.end_column + columns)


class RecipeKind(enum.StrEnum):
    """What kind of file a recipe is."""

    SHELL = "shell"
    BATCH = "batch job"
    MARKDOWN = "markdown"
    ARTICLE = "article"
    REQUIREMENTS = "requirements"
    PROJECT = "pyproject"
    CONDA = "conda environment"
    PIXI = "pixi"
    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"
    KUBERNETES = "kubernetes"
    WORKFLOW = "workflow"
    PYTHON = "python"
    NOTEBOOK = "notebook"


class Tool(enum.StrEnum):
    """Who installs. pip stands for all that read pip's requirements (uv pip, pipx)."""

    PIP = "pip"
    UV = "uv"
    CONDA = "conda"
    POETRY = "poetry"
    PIXI = "pixi"


@dataclasses.dataclass(frozen=True)
class PackageSpec:
    """One package that is asked for."""

    name: str
    """Normalised as PEP 503 does: `flash-attn`."""
    specifier: str
    """As it is written, `==2.4.0+cu128`; empty for any version."""
    place: Place
    url: str = ""
    """A wheel or a repository instead of a version."""
    dynamic: bool = False
    """The version holds a variable: nobody can tell it."""
    channel: str = ""

    @property
    def version(self) -> str | None:
        """The one version that it allows, `2.4.0+cu128`; None where it leaves a choice."""
        text = self.specifier.removeprefix("===").removeprefix("==").strip()
        exact = self.specifier.startswith("==") and not set(text) & set("*,<>=!~ $")
        return text if exact and text and not self.dynamic else None

    @property
    def public(self) -> str | None:
        """The version without its local tag: `2.4.0`."""
        return self.version.partition("+")[0] if self.version else None

    @property
    def tag(self) -> str:
        """The local tag: `cu128`; empty for none."""
        return (self.version or "").partition("+")[2]


@dataclasses.dataclass(frozen=True)
class Index:
    """Where an install looks for packages."""

    url: str
    place: Place
    replaces: bool = True
    """Whether the default index is left out (`--index-url`), not added to (`--extra-index-url`)."""
    torch_only: bool = False
    """Whether PyTorch's own packages come from it, and nothing else (`--torch-backend`)."""


@dataclasses.dataclass(frozen=True)
class Redirection:
    """A comparison that the shell takes for a redirection: `torch>=2.4` writes a file called `=2.4`."""

    package: str
    operator: str
    target: str
    place: Place
    """From the package's name to the end of the target."""


@dataclasses.dataclass(frozen=True)
class Install:
    """Packages that are installed in one step: by one command, or as one file's list."""

    tool: Tool
    requirements: tuple[PackageSpec, ...]
    place: Place
    indexes: tuple[Index, ...] = ()
    find_links: tuple[str, ...] = ()
    isolated: bool | None = True
    """Whether packages are built in an environment of their own; None where the file leaves it to who installs it."""
    files: tuple[str, ...] = ()
    """The requirements files that it reads."""
    channels: tuple[str, ...] = ()
    channel_place: Place | None = None
    redirections: tuple[Redirection, ...] = ()
    scope: str = ""
    """What is installed one after the other into one environment has one scope: a stage, a script, a fence."""
    from_file: bool = False
    """A list in a file: how it is installed is not said here."""
    branched: bool = False
    """It stands in a branch that need not be taken."""
    unread_indexes: tuple[tuple[Index, str], ...] = ()
    """Those that its installer does not look in though they are named, each with why."""


@dataclasses.dataclass(frozen=True)
class PythonVersion:
    """The Python that a recipe says it runs on: `3.12`."""

    version: str
    place: Place
    scope: str = ""


@dataclasses.dataclass(frozen=True)
class Image:
    """A container image that a recipe starts from or runs."""

    reference: str
    """With variables filled in from their defaults; one that cannot be filled in stays as `$NAME`."""
    place: Place
    scope: str = ""
    """The stage, service or command that uses it."""

    @property
    def name(self) -> str:
        """`nvidia/cuda`, without host, tag and digest."""
        path = self.reference.partition("@")[0]
        head, _, last = path.rpartition("/")
        whole = f"{head}/{last.partition(':')[0]}".lstrip("/")
        for host in ("docker.io/library/", "docker.io/", "nvcr.io/", "library/"):
            whole = whole.removeprefix(host)
        return whole

    @property
    def tag(self) -> str | None:
        """`12.8.1-base-ubuntu22.04`; None where there is none."""
        last = self.reference.partition("@")[0].rpartition("/")[2]
        return last.partition(":")[2] or None

    @property
    def pinned(self) -> bool:
        """By digest: whatever its tag was, it is there."""
        return "@" in self.reference

    @property
    def dynamic(self) -> bool:
        return any(mark in self.reference for mark in ("$", "{{", "<"))


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a Dockerfile."""

    scope: str
    image: Image
    shipped: bool
    """Whether it is the last stage, or one that the last stage builds on."""
    parents: tuple[str, ...] = ()
    """The scopes of the stages that it builds on, the nearest first."""
    base: Image | None = None
    """The image at the root of its parents."""


class Setter(enum.StrEnum):
    """How a variable is set."""

    IMAGE = "ENV"
    """For everything that the image ever runs."""
    BUILD = "ARG"
    EXPORT = "export"
    COMMAND = "before a command"
    CONTAINER = "container"
    """docker run -e, compose, Kubernetes."""
    WORKFLOW = "workflow"
    PYTHON = "os.environ"


@dataclasses.dataclass(frozen=True)
class Variable:
    """An environment variable that is set."""

    name: str
    value: str | None
    """None where it is not a plain text: a variable, an expression."""
    place: Place
    setter: Setter
    scope: str = ""
    value_type: str = "str"
    """For os.environ: the type of the literal that is assigned."""
    after: str = ""
    """For os.environ: `import torch` or the CUDA call that comes before it; empty where none does."""
    branched: bool = False
    """It stands in a branch or a function, which need not be taken."""


@dataclasses.dataclass(frozen=True)
class ContainerRun:
    """One `docker run` (or create)."""

    place: Place
    gpus: str | None = None
    """What docker gets after the shell: `all`, `"device=0,1"`; None where the option is not there."""
    gpus_place: Place | None = None
    hosted_runner: str = ""
    """The hosted CI runner that it runs on: `ubuntu-latest`."""


@dataclasses.dataclass(frozen=True)
class Service:
    """One service of a compose file."""

    name: str
    place: Place
    image: Image | None = None
    gpu_reserved: bool = False
    """By `deploy.resources.reservations.devices`, `gpus` or `runtime: nvidia`."""
    asks_for_gpu: str = ""
    """What says that it needs one: a variable, a command; empty where nothing does."""
    devices_without_capabilities: Place | None = None


@dataclasses.dataclass(frozen=True)
class Command:
    """A program that is run, with its arguments as the shell hands them over."""

    words: tuple[str, ...]
    place: Place
    scope: str = ""
    tolerated: bool = False
    """Its failure is caught (`|| true`), or it stands in a branch that need not be taken."""
    building: bool = False
    """While an image is built."""
    hosted_runner: str = ""

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2] if self.words else ""


@dataclasses.dataclass(frozen=True)
class Argument:
    """One argument of a call. `value` is the literal; None where it is an expression, given in `source`."""

    value: Any
    source: str
    place: Place
    name_place: Place | None = None
    literal: bool = False


@dataclasses.dataclass(frozen=True)
class Call:
    """A call in Python, its function named by what was imported."""

    function: str
    """`gradio.Blocks.launch`, `transformers.AutoModelForCausalLM.from_pretrained`."""
    arguments: dict[str, Argument]
    positional: tuple[Argument, ...]
    place: Place
    starred: bool = False
    """With `*` or `**`: there may be more arguments."""
    inside: str = ""
    """The function that it stands in; empty for the module."""
    guarded: bool = False
    """Run once at most: behind a cache or a check for None."""
    released: bool = False
    """What it gives is deleted again in the same function."""


@dataclasses.dataclass(frozen=True)
class Handler:
    """A function that serves requests: an event of Gradio, a route."""

    function: str
    place: Place
    framework: str
    concurrency_limited: bool = False
    """Its event names a limit of its own."""


@dataclasses.dataclass(frozen=True)
class GraphCapture:
    """`with torch.cuda.graph(g):`"""

    graph: str
    place: Place
    replayed: bool
    """Somewhere in the file the graph is replayed, or handed to what may; or a test asks for the capture alone."""
    warmed_up: str
    """`side stream`, `default stream`, or empty for not at all."""
    syncs: tuple[tuple[str, Place], ...] = ()
    """Calls inside that wait for the GPU."""
    model_call: Place | None = None
    """A call inside of a model that from_pretrained loaded,"""
    growing_call: Place | None = None
    """and of one that generates text, with its KV cache on."""
    module_call: Place | None = None
    """A call inside of such a model, or of a module that torch.nn made."""
    static_cache: bool = False
    gradients_off: bool = False
    backward: bool = False
    frozen_shape: Place | None = None
    """Text that was tokenised without padding to a fixed length, beside the capture."""


@dataclasses.dataclass(frozen=True)
class SharedCache:
    """A class that keeps the KV cache of its last call beside the model that all its users share."""

    attribute: str
    owner: str
    place: Place


@dataclasses.dataclass(frozen=True)
class SwitchRead:
    """`torch.backends.cudnn.enabled`, printed or asserted."""

    name: str
    place: Place


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One file's facts, with what the project around it says of packages."""

    path: str
    kind: RecipeKind
    facts: tuple[Any, ...]
    project: tuple[Install, ...] = ()
    """What the other files of its project install."""
    machine: Machine | None = None
    """The machine that it is judged for; None where none was named."""

    def all(self, fact_type: type[T]) -> tuple[T, ...]:
        return tuple(fact for fact in self.facts if isinstance(fact, fact_type))

    def requirements(self, *names: str) -> Iterable[tuple[Install, PackageSpec]]:
        """The requirements with one of these names, each with its install; in the order of the file."""
        for install in self.all(Install):
            for requirement in install.requirements:
                if requirement.name in names:
                    yield install, requirement

    def pins(self, name: str) -> tuple[PackageSpec, ...]:
        """How this file, and where it does not the project around it, asks for a package."""
        own = tuple(requirement for _, requirement in self.requirements(name))
        around = (r for install in self.project for r in install.requirements if r.name == name)
        return own or tuple(around)

    def in_scope(self, name: str, install: Install) -> PackageSpec | None:
        """The one requirement of this name in the same environment; None where there is none, or several differ."""
        scopes = {install.scope, *self.parents(install.scope)}
        found = [
            requirement for other, requirement in self.requirements(name) if other is install or other.scope in scopes
        ]
        same = {(requirement.specifier, requirement.url) for requirement in found}
        return found[0] if len(same) == 1 else None

    def others_of(self, install: Install, asked: PackageSpec, names: Iterable[str]) -> tuple[PackageSpec, ...]:
        """The other requirements of these names in the same environment."""
        scopes = {install.scope, *self.parents(install.scope)}
        around = ((other, found) for other, found in self.requirements(*names) if found is not asked)
        return tuple(found for other, found in around if other is install or other.scope in scopes)

    def python_of(self, install: Install) -> str | None:
        """The Python that the environment of an install has, `3.12`; None where nothing says, or several differ."""
        scopes = {install.scope, *self.parents(install.scope)}
        told = {".".join(p.version.split(".")[:2]) for p in self.all(PythonVersion) if p.scope in scopes}
        return next(iter(told)) if len(told) == 1 else None

    def stage(self, scope: str) -> Stage | None:
        return next((stage for stage in self.all(Stage) if stage.scope == scope), None)

    def parents(self, scope: str) -> tuple[str, ...]:
        stage = self.stage(scope)
        return stage.parents if stage else ()

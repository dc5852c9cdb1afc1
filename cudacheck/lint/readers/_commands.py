"""What well-known commands ask for: pip, uv, conda, docker, and Python code given in the command."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cudacheck.lint.facts import (
    ContainerRun,
    Image,
    Index,
    Install,
    PackageSpec,
    Place,
    PythonVersion,
    RecipeKind,
    Setter,
    Tool,
    Variable,
)
from cudacheck.lint.readers._base import Context, Embedded, Found, normalised
from cudacheck.lint.readers._shell import as_command, variables

if TYPE_CHECKING:
    from cudacheck.lint.readers._shell import ShellCommand, Word

_SPEC = re.compile(r"^(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)$", re.DOTALL)
_COMPARISON = re.compile(r"^\(?\s*(===|==|=|~=|!=|>=|<=|>|<)")
_CONDA = re.compile(r"^(?:(?P<channel>[\w./-]+)::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?P<rest>[\[=<>!~ ].*)?$", re.DOTALL)
_WHEEL = re.compile(r"(?:^|/)([A-Za-z0-9_.]+?)-(\d[^-/]*)-[^/]*\.whl")

PIP_VALUES = frozenset(
    [
        "-i",
        "--index-url",
        "--pypi-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-t",
        "--target",
        "--prefix",
        "--root",
        "--python",
        "--python-version",
        "--platform",
        "--implementation",
        "--abi",
        "--only-binary",
        "--no-binary",
        "--progress-bar",
        "--timeout",
        "--retries",
        "--proxy",
        "--trusted-host",
        "--cache-dir",
        "--log",
        "--src",
        "--upgrade-strategy",
        "--config-settings",
        "-C",
        "--global-option",
        "--default-index",
        "--index",
        "--torch-backend",
        "--prerelease",
        "--resolution",
        "--link-mode",
        "--index-strategy",
        "--extra",
        "--group",
        "-p",
        "--no-build-isolation-package",
        "--override",
        "--exclude-newer",
        "--python-platform",
        "--report",
        "--user-agent",
        "--cert",
        "--keyring-provider",
        "--refresh-package",
        "--reinstall-package",
        "-P",
        "--upgrade-package",
        "--with",
        "-e",
        "--editable",
    ]
)
CONDA_VALUES = frozenset(
    [
        "-n",
        "--name",
        "-c",
        "--channel",
        "-p",
        "--prefix",
        "-f",
        "--file",
        "--solver",
        "--repodata-fn",
        "--platform",
        "--subdir",
    ]
)
DOCKER_FLAGS = frozenset(
    [
        "-d",
        "--detach",
        "-i",
        "--interactive",
        "-t",
        "--tty",
        "-it",
        "-ti",
        "-itd",
        "-dit",
        "-dt",
        "-td",
        "-id",
        "-di",
        "--rm",
        "--init",
        "--privileged",
        "--read-only",
        "-P",
        "--publish-all",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--quiet",
        "-q",
        "--sig-proxy",
        "--disable-content-trust",
        "--help",
    ]
)
_SUDO = {"sudo", "time", "nohup", "exec", "env", "command", "srun", "xargs", "nice"}


def facts(command: ShellCommand, context: Context) -> Found:
    """The facts of one command of a shell."""
    found: Found = [*variables(command, context), *_environment_of_a_notebook(command, context)]
    words = _without_wrapper(command.words)
    if not words:
        return found
    if len(words) != len(command.words):
        command = dataclasses.replace(command, words=tuple(words))
    found.append(as_command(command, context))
    found += _installs(command, words, context)
    found += _containers(words, command, context)
    found += _python(words, command, context)
    return found


def _environment_of_a_notebook(command: ShellCommand, context: Context) -> Iterator[Variable]:
    """`%env NAME=VALUE`, `%env NAME VALUE`: for all that the notebook runs from then on."""
    if not command.words or command.words[0].text not in {"env", "set_env"}:
        return
    rest = command.words[1:]
    name, equals, value = rest[0].text.partition("=") if rest else ("", "", "")
    if len(rest) == 2 and not equals:
        name, value, equals = rest[0].text, rest[1].text, "="
    elif len(rest) != 1:
        return
    if equals and re.fullmatch(r"[A-Z_]+", name):
        yield Variable(name, None if "$" in value else value, rest[-1].place, Setter.EXPORT, context.scope)


def _without_wrapper(words: tuple[Word, ...]) -> list[Word]:
    """The command that sudo, time or env starts."""
    rest = [*words]
    while rest and rest[0].text in _SUDO:
        rest = rest[1:]
        while rest and (rest[0].text.startswith("-") or re.match(r"\w+=", rest[0].text)):
            rest = rest[1:]
    return rest


def _installs(command: ShellCommand, words: list[Word], context: Context) -> Found:
    texts = [word.text for word in words]
    program = texts[0].rpartition("/")[2].rstrip("0123456789.")
    if program == "python" and texts[1:3] == ["-m", "pip"]:
        words, texts, program = words[2:], texts[2:], "pip"
    if program == "uv" and texts[1:2] == ["pip"]:
        words, texts, program = words[1:], texts[1:], "uvpip"
    if program in {"pip", "uvpip"} and texts[1:2] in (["install"], ["download"], ["wheel"]):
        return [_pip(command, words[2:], context, Tool.UV if program == "uvpip" else Tool.PIP)]
    if program == "uv" and texts[1:2] == ["venv"]:
        return [*_venv(words[2:], context)]
    if program in {"uv", "poetry"} and texts[1:2] == ["add"]:
        return [_pip(command, words[2:], context, Tool.UV if program == "uv" else Tool.POETRY)]
    if program in {"conda", "mamba", "micromamba"} and any(
        text in {"install", "create", "update"} for text in texts[1:3]
    ):
        return _conda(command, words[2:], context)
    return []


def _venv(words: list[Word], context: Context) -> Iterator[PythonVersion]:
    """`uv venv --python 3.12`."""
    for option, value in _split(words, PIP_VALUES)[0]:
        if option in {"--python", "-p"} and re.fullmatch(r"3\.\d+(\.\d+)?", value.text):
            yield PythonVersion(value.text, value.place, context.scope)


def _pip(command: ShellCommand, words: list[Word], context: Context, tool: Tool) -> Install:
    options, positional = _split(words, PIP_VALUES)
    indexes = tuple(
        Index(value.text, value.place, replaces=option in {"-i", "--index-url", "--default-index", "--pypi-url"})
        for option, value in options
        if option in {"-i", "--index-url", "--extra-index-url", "--default-index", "--index"}
    )
    indexes += tuple(
        Index(f"https://download.pytorch.org/whl/{value.text}", value.place, replaces=False, torch_only=True)
        for option, value in options
        if option == "--torch-backend"
    )
    flags = {word.text for word in words}
    loose = "--no-build-isolation" in flags or any(o == "--no-build-isolation-package" for o, _ in options)
    isolation = {name: word.text for name, word in command.assignments if name == "PIP_NO_BUILD_ISOLATION"}
    return Install(
        tool,
        tuple(filter(None, (requirement(word.text, word.place, dynamic=word.dynamic) for word in positional))),
        command.place,
        indexes,
        tuple(v.text for o, v in options if o in {"-f", "--find-links"}),
        isolated=not (loose or isolation),
        files=tuple(v.text for o, v in options if o in {"-r", "--requirement"}),
        redirections=command.redirections,
        scope=context.scope,
        branched=command.branched,
    )


def _split(words: list[Word], with_value: frozenset[str]) -> tuple[list[tuple[str, Word]], list[Word]]:
    """Options that have a value, each with it, and what is no option."""
    options: list[tuple[str, Word]] = []
    positional: list[Word] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.text.partition("=")
        if word.text in with_value:
            following = next(waiting, None)
            if following is not None:
                options.append((word.text, following))
        elif word.text.startswith("-"):
            if equals and name in with_value:
                options.append((name, dataclasses.replace(word, text=value)))
        else:
            positional.append(word)
    return options, positional


def requirement(text: str, place: Place, *, dynamic: bool = False) -> PackageSpec | None:
    """One requirement of pip: `torch==2.8.0`, a wheel, `name @ address`; None for paths and what is no package."""
    text = text.strip()
    if wheel := _WHEEL.search(text.partition("#")[0].replace("%2B", "+").replace("%2b", "+")):
        version = f"=={wheel[2]}"
        return PackageSpec(normalised(wheel[1]), version, place, url=text.rpartition(" ")[2], dynamic=dynamic)
    if re.match(r"(git|hg|svn|https?|file)(\+|:)", text) or text.startswith((".", "/", "~", "$", "{", "<")):
        source = re.search(r"/([\w.-]+?)(?:\.git)?(?:@[^/]*)?(?:#.*)?$", text) if text.startswith("git+") else None
        return PackageSpec(normalised(source[1]), "", place, url=text, dynamic=dynamic) if source else None
    match = _SPEC.match(text.partition(";")[0].strip())
    if not match:
        return None
    name, rest = normalised(match["name"]), match["rest"].strip()
    if rest.startswith("@"):
        return PackageSpec(name, "", place, url=rest[1:].strip(), dynamic=dynamic)
    if rest and not _COMPARISON.match(rest):
        return None
    return PackageSpec(name, rest.strip("() "), place, dynamic=dynamic or "$" in rest)


def _conda(command: ShellCommand, words: list[Word], context: Context) -> Found:
    options, positional = _split(words, CONDA_VALUES)
    channels = [word for option, word in options if option in {"-c", "--channel"}]
    asked = tuple(filter(None, (conda_requirement(word.text, word.place, dynamic=word.dynamic) for word in positional)))
    pythons = [PythonVersion(r.specifier.strip("= *"), r.place, context.scope) for r in asked if r.name == "python"]
    return [
        Install(
            Tool.CONDA,
            asked,
            command.place,
            channels=tuple(word.text for word in channels),
            channel_place=channels[0].place if channels else None,
            redirections=command.redirections,
            scope=context.scope,
            branched=command.branched,
        ),
        *(python for python in pythons if re.fullmatch(r"3\.\d+(\.\d+)?", python.version)),
    ]


def conda_requirement(text: str, place: Place, *, dynamic: bool = False) -> PackageSpec | None:
    """One package of conda: `pytorch=2.4.0`, `pytorch::pytorch-cuda=12.1`."""
    match = _CONDA.match(text.strip())
    if not match:
        return None
    rest = (match["rest"] or "").strip()
    # A third part is the build: `=2.4.0=py3.10_cuda12.1_cudnn9_0`.
    rest = re.sub(r"^(={1,2}[^=]+)=.*$", r"\1", rest)
    return PackageSpec(
        normalised(match["name"]), rest, place, dynamic=dynamic or "$" in rest, channel=match["channel"] or ""
    )


def _containers(words: list[Word], command: ShellCommand, context: Context) -> Iterator[object]:
    texts = [word.text for word in words]
    if texts[0].rpartition("/")[2] not in {"docker", "podman", "nerdctl", "nvidia-docker"} or len(texts) < 2:
        return
    start = 3 if texts[1] == "container" else 2
    verb = texts[start - 1] if len(texts) >= start else ""
    if verb == "pull":
        image = next((word for word in words[start:] if not word.text.startswith("-")), None)
        if image:
            yield Image(image.text, image.place, context.scope)
    if verb not in {"run", "create"}:
        return
    gpus, variables, image = _docker_options(words[start:])
    yield ContainerRun(command.place, gpus.text if gpus else None, gpus.place if gpus else None, context.hosted_runner)
    for word in variables:
        name, equals, value = word.text.partition("=")
        if equals:
            yield Variable(name, None if "$" in value else value, word.place, Setter.CONTAINER, "docker run")
    if image:
        yield Image(image.text, image.place, "docker run")


def _docker_options(words: list[Word]) -> tuple[Word | None, list[Word], Word | None]:
    """The value of --gpus, the variables, and the image."""
    gpus: Word | None = None
    variables: list[Word] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.text.partition("=")
        if not word.text.startswith("-"):
            return gpus, variables, word
        if name in DOCKER_FLAGS:
            continue
        given = dataclasses.replace(word, text=value) if equals and name.startswith("--") else next(waiting, None)
        if given is None:
            break
        if name == "--gpus":
            gpus = given
        elif name in {"-e", "--env"}:
            variables.append(given)
    return gpus, variables, None


def _python(words: list[Word], command: ShellCommand, context: Context) -> Iterator[object]:
    """`python -c CODE` and `python - <<EOF`."""
    if not re.match(r"python[\d.]*$", words[0].text.rpartition("/")[2]):
        return
    for flag, code in itertools.pairwise(words):
        if flag.text == "-c":
            inner = dataclasses.replace(context, line=code.place.line - 1, column=code.place.column, exact=False)
            yield Embedded(RecipeKind.PYTHON, code.text, inner)
            return
    if command.heredoc and len(words) <= 2:
        text, place = command.heredoc
        yield Embedded(RecipeKind.PYTHON, text, dataclasses.replace(context, line=place.line - 1, column=0))

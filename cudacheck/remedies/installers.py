"""Spells an installation for what installs packages in the inspected environment: pip, uv, conda, poetry or pixi."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Sequence

from cudacheck.model.facts import Facts
from cudacheck.probes.host.system import System
from cudacheck.probes.patient.distributions import Distribution
from cudacheck.probes.patient.interpreter import Interpreter
from cudacheck.probes.patient.torch_files import TorchBuild

PYTORCH_INDEX = "https://download.pytorch.org/whl/"

# The names of PyTorch's family as conda packages; torchvision and torchaudio are called the same there.
CONDA_TORCH = ("pytorch", "pytorch-gpu", "pytorch-cuda", "pytorch-mutex", "libtorch", "torchvision", "torchaudio")


@dataclasses.dataclass(frozen=True)
class Environment:
    """What a command must know of the inspected environment."""

    installer: str
    """`pip`, `uv`, `conda`, `poetry` or `pixi`."""
    python: str | None
    """The interpreter's path; None where a paste does not tell."""
    windows: bool = False
    prefix: str | None = None
    lacks_pip: bool = False
    externally_managed: bool = False
    """The distribution forbids pip here (PEP 668), and it is not a virtual environment."""
    conda_packages: tuple[str, ...] = ()
    """PyTorch's conda packages that are installed here."""


@dataclasses.dataclass(frozen=True)
class Installation:
    """What is to be installed, and what must go first."""

    specs: tuple[str, ...] = ()
    index_tag: str | None = None
    uninstall: tuple[str, ...] = ()
    force: bool = False
    no_deps: bool = False
    no_build_isolation: bool = False

    @property
    def torch(self) -> bool:
        return any(re.match(r"torch(?![\w-])", spec) for spec in self.specs)


@dataclasses.dataclass(frozen=True)
class Spelled:
    commands: tuple[str, ...]
    edit: str = ""
    where: str = ""
    """For the title: `in the project's folder`; empty where it works anywhere."""
    python: str | None = None
    """The interpreter to verify with, where it is another than the inspected one."""


def environment(facts: Facts) -> Environment:
    """The inspected environment, as far as the facts tell."""
    interpreter, system = facts.one(Interpreter), facts.one(System)
    os = (interpreter and interpreter.os) or (system and system.os)
    if interpreter is None:
        return Environment("pip", None, windows=os == "windows")
    venv = bool(interpreter.prefix and interpreter.base_prefix and interpreter.prefix != interpreter.base_prefix)
    conda_packages = _conda_packages(facts)
    installer = interpreter.installer or "pip"
    return Environment(
        installer="conda" if conda_packages and installer in ("pip", "uv") else installer,
        python=interpreter.executable,
        windows=os == "windows",
        prefix=interpreter.conda_prefix or interpreter.prefix,
        lacks_pip=interpreter.has_pip is False,
        externally_managed=bool(interpreter.externally_managed) and not venv,
        conda_packages=conda_packages,
    )


def _conda_packages(facts: Facts) -> tuple[str, ...]:
    by_conda = {dist.name for dist in facts.all(Distribution) if dist.installer == "conda"}
    names = {"pytorch" if name == "torch" else name for name in by_conda}
    build = facts.one(TorchBuild)
    if build and build.conda_build:
        names.add("pytorch")
    # Removing `pytorch` takes its dependents along; the others are named only where they are there to be removed.
    return tuple(name for name in CONDA_TORCH if name in names) if "pytorch" in names else ()


def quoted(text: str, env: Environment) -> str:
    """One word of a command, safe for the shell of its system."""
    if not env.windows:
        return shlex.quote(text)
    return text if re.fullmatch(r"[\w.:/\\=+@-]+", text) else '"' + re.sub(r'["\r\n]', "", text) + '"'


def python(env: Environment) -> str:
    return quoted(env.python or "python", env)


def spell(plan: Installation, env: Environment) -> Spelled:
    """The commands, and the lines for a file, that carry out the plan; no commands where none can work."""
    if env.externally_managed and env.installer in ("pip", "uv"):
        return _in_a_new_environment(plan, env)
    if env.installer == "uv":
        return Spelled(_uv(plan, env))
    if env.installer == "poetry":
        return _poetry(plan, env)
    if env.installer == "pixi":
        return _pixi(plan, env)
    if env.installer == "conda":
        where = "(conda asks first, and removes what depends on its PyTorch)" if _takes_conda_away(plan, env) else ""
        return Spelled(_conda(plan, env), where=where)
    return Spelled((*_with_pip(env), *_pip(plan, python(env) + " -m pip", env)))


def index_url(tag: str) -> str:
    return PYTORCH_INDEX + tag


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _quoted(words: Sequence[str], env: Environment) -> str:
    return " ".join(quoted(word, env) for word in words)


def _flags(plan: Installation, force: str) -> str:
    return _words(
        force if plan.force else "",
        "--no-deps" if plan.no_deps else "",
        "--no-build-isolation" if plan.no_build_isolation else "",
    )


def _index(plan: Installation) -> str:
    return f"--index-url {index_url(plan.index_tag)}" if plan.index_tag else ""


def _with_pip(env: Environment) -> tuple[str, ...]:
    return (f"{python(env)} -m ensurepip --upgrade",) if env.lacks_pip else ()


def _pip(plan: Installation, pip: str, env: Environment) -> tuple[str, ...]:
    commands = []
    if plan.uninstall:
        commands.append(f"{pip} uninstall -y {_quoted(plan.uninstall, env)}")
    if plan.specs:
        flags = _flags(plan, "--force-reinstall")
        commands.append(_words(f"{pip} install", flags, _quoted(plan.specs, env), _index(plan)))
    return tuple(commands)


def _uv(plan: Installation, env: Environment) -> tuple[str, ...]:
    # https://docs.astral.sh/uv/guides/integration/pytorch; options checked against uv 0.13.
    target = f"--python {python(env)}" if env.python else ""
    commands = []
    if plan.uninstall:
        commands.append(_words("uv pip uninstall", target, _quoted(plan.uninstall, env)))
    if plan.specs:
        flags = _flags(plan, "--reinstall")
        commands.append(_words("uv pip install", target, flags, _quoted(plan.specs, env), _index(plan)))
    return tuple(commands)


def _takes_conda_away(plan: Installation, env: Environment) -> bool:
    return bool(env.conda_packages) and plan.torch and not plan.no_deps


def _conda(plan: Installation, env: Environment) -> tuple[str, ...]:
    """The pytorch channel ended with 2.5: conda's PyTorch goes, and the environment's own pip takes over."""
    target = f"-p {quoted(env.prefix, env)}" if env.prefix else ""
    commands = []
    if _takes_conda_away(plan, env):
        # without --yes: conda lists what depends on its PyTorch, which goes along, and asks
        commands.append(_words("conda remove", target, *env.conda_packages))
        gone = {"torch", *env.conda_packages}
        plan = dataclasses.replace(plan, uninstall=tuple(name for name in plan.uninstall if name not in gone))
    elif env.conda_packages and plan.torch:
        return (_words("conda install", target, "--yes --force-reinstall", *env.conda_packages),)
    if env.lacks_pip:
        commands.append(_words("conda install", target, "--yes pip"))
    return (*commands, *_pip(plan, python(env) + " -m pip", env))


def _poetry(plan: Installation, env: Environment) -> Spelled:
    # https://python-poetry.org/docs/repositories/#explicit-package-sources names PyTorch as its example.
    where = "in the project's folder"
    if not plan.specs or plan.force or plan.no_deps or plan.no_build_isolation:
        return Spelled(_pip(plan, "poetry run python -m pip", env), where=where)
    if not plan.index_tag:
        return Spelled((f"poetry add {_quoted(plan.specs, env)}",), where=where)
    source = f"pytorch-{plan.index_tag}"
    return Spelled(
        (
            f"poetry source add --priority explicit {source} {index_url(plan.index_tag)}",
            f"poetry add --source {source} {_quoted(plan.specs, env)}",
        ),
        where=where,
    )


def _pixi(plan: Installation, env: Environment) -> Spelled:
    # https://pixi.prefix.dev/latest/python/pytorch: one index per dependency.
    where = "in the workspace's folder"
    if not plan.specs:
        return Spelled((f"pixi remove --pypi {_quoted(plan.uninstall, env)}",), where=where)
    if plan.force:
        names = [re.split(r"[=<>!~ ]", spec)[0] for spec in plan.specs]
        return Spelled((f"pixi reinstall {_quoted(names, env)}",), where=where)
    remove = (f"pixi remove {' '.join(env.conda_packages)}",) if env.conda_packages and plan.torch else ()
    if any("/" in spec for spec in plan.specs):
        return Spelled((*remove, f"pixi run python -m pip install {_quoted(plan.specs, env)}"), where=where)
    lines = [_pixi_line(spec, plan.index_tag) for spec in plan.specs]
    edit = "\n".join(["[pypi-dependencies]", *lines])
    return Spelled(
        (*remove, "pixi install"), edit=edit, where="in the workspace's folder, with these lines in pixi.toml"
    )


def _pixi_line(spec: str, tag: str | None) -> str:
    match = re.match(r"([\w.-]+)\s*(.*)", spec)
    name, version = (match[1], match[2] or "*") if match else (spec, "*")
    index = f', index = "{index_url(tag)}"' if tag else ""
    return f'{name} = {{ version = "{version}"{index} }}'


def _in_a_new_environment(plan: Installation, env: Environment) -> Spelled:
    """PEP 668: pip may not touch a Python that the distribution manages."""
    if plan.force or plan.no_deps or not plan.specs:
        return Spelled((), where="with the distribution's own packages, which manage this Python (PEP 668)")
    where = "in a virtual environment, because the distribution manages this Python (PEP 668)"
    inside = dataclasses.replace(
        env, python=r".venv\Scripts\python.exe" if env.windows else ".venv/bin/python", lacks_pip=False
    )
    fresh = dataclasses.replace(plan, uninstall=())
    if env.installer == "uv":
        make = _words("uv venv", f"--python {python(env)}" if env.python else "", ".venv")
        return Spelled((make, *_uv(fresh, inside)), where=where, python=inside.python)
    make = f"{python(env) if env.python else 'python3'} -m venv .venv"
    return Spelled((make, *_pip(fresh, f"{python(inside)} -m pip", inside)), where=where, python=inside.python)

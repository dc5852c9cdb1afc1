"""Writes a plan in the words of a tool: commands for pip, uv and conda, files for all that keep one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cudacheck.planning import documents
from cudacheck.planning.answer import Chosen
from cudacheck.planning.documents import EmitError, MissingExtraError, Order
from cudacheck.planning.target import Target
from cudacheck.planning.wanted import PARTNERS, Wish
from cudacheck.remedies import builders, installers
from cudacheck.remedies.installers import Environment, Installation
from cudacheck.remedies.torch_choice import Choice

__all__ = ["CONDA_TOOLS", "TOOLS", "EmitError", "MissingExtraError", "prepared", "written"]

CONDA_TOOLS = ("conda", "environment")
"""Those that install conda-forge's packages."""


@dataclasses.dataclass(frozen=True)
class Document:
    """One file that a tool reads."""

    file: str
    write: Callable[[Order], str]
    command: str
    """What installs by it, beside it."""


FILES = {
    "dockerfile": Document("Dockerfile", documents.dockerfile, "docker build ."),
    "environment": Document("environment.yml", documents.environment, "conda env create --file environment.yml"),
    "pixi": Document("pixi.toml", documents.pixi, "pixi install"),
    "poetry": Document("pyproject.toml", documents.poetry, "poetry install"),
    "pyproject": Document("pyproject.toml", documents.pyproject, "python -m pip install ."),
    "requirements": Document("requirements.txt", documents.requirements, "python -m pip install -r requirements.txt"),
    "uv": Document("pyproject.toml", documents.uv, "uv sync"),
}
TOOLS = ("pip", "conda", *FILES)


def prepared(target: Target, tool: str) -> Target:
    """The machine as the tool meets it: an image brings its own C library."""
    return target.with_machine(glibc=None) if tool == "dockerfile" else target


def written(chosen: Chosen, choice: Choice, target: Target, wanted: Wish, tool: str) -> Chosen:
    """The same with what to type, or with the file to write."""
    order = Order(chosen, target, wanted)
    live = not (target.by_hand or target.new_environment)
    if tool in FILES and not (tool == target.installer and not target.by_hand):
        document = FILES[tool]
        command = document.command
        if tool == "pyproject" and chosen.index:
            command = f"{command} --extra-index-url {chosen.index}"
        return dataclasses.replace(chosen, commands=(command,), file=document.file, text=document.write(order))
    if tool == "conda":
        return dataclasses.replace(chosen, commands=_conda(order))
    spelled = [installers.spell(one, _environment(target, tool)) for one in _installations(order, choice, live=live)]
    commands = (*_fresh(target, tool), *(command for part in spelled for command in part.commands))
    edits = "\n".join(part.edit for part in spelled if part.edit)
    return dataclasses.replace(chosen, commands=commands, file="pixi.toml" if edits else "", text=edits)


def _environment(target: Target, tool: str) -> Environment:
    """Where the commands are typed: in the inspected environment, or in whatever is active."""
    if target.new_environment:
        return Environment(tool, ".venv/bin/python")
    if not target.by_hand:
        return dataclasses.replace(installers.environment(target.facts), installer=tool)
    return Environment(tool, None, windows=target.machine.os == "windows")


def _fresh(target: Target, tool: str) -> tuple[str, ...]:
    """The environment that is to be made first."""
    if not target.new_environment:
        return ()
    python = target.machine.python
    return (f"uv venv --python {python} .venv" if tool == "uv" else f"python{python} -m venv .venv",)


def _installations(order: Order, choice: Choice, *, live: bool) -> list[Installation]:
    """PyTorch's family from its index, then what else was asked for from the default one."""
    family = Installation(order.family, index_tag=order.chosen.tag if order.chosen.index else None)
    if live:
        family = builders.torch_installation(order.target.facts, choice)
        gone = tuple(name for name in family.uninstall if name not in PARTNERS or name in choice.companions)
        family = dataclasses.replace(family, specs=order.family, uninstall=gone)
    if not order.others:
        return [family]
    if not order.chosen.index:
        return [dataclasses.replace(family, specs=(*order.family, *order.others))]
    return [family, Installation(order.others)]


def _conda(order: Order) -> tuple[str, ...]:
    """https://conda-forge.org/docs/user/tipsandtricks: `cuda-version` chooses the CUDA of `pytorch-gpu`."""
    packages = " ".join(documents.conda_packages(order))
    where = "create --name torch"
    if not order.target.by_hand:
        env = installers.environment(order.target.facts)
        where = f"install --prefix {installers.quoted(env.prefix, env)}" if env.prefix else "install"
    return (f"conda {where} --channel conda-forge --override-channels {packages}",)

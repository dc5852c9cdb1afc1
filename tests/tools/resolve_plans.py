"""Resolves what plans emit with the tools that read it: run by hand, when the tables or a form change.

    python tests/tools/resolve_plans.py [--with uv-pip] [--with uv-lock] [--with pip] [--with poetry] [--most N]

Nothing is installed. PyTorch's own index may be out of reach: of each plan whose PyTorch is the build that the default
index serves, the form for the default index is resolved. The others are held against the stored listings (tests/data/):
the build exists under that tag, has wheels for that Python and glibc, its partners accept it, and every form names the
index.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import plan_oracle

from cudacheck import knowledge, planning
from cudacheck.planning import documents
from cudacheck.planning.documents import Order

MACHINES = (
    *(("A100", "595.58.03"), ("B200", "595.58.03"), ("V100", "580.95.05"), ("A100", "535.129.03")),
    *(("RTX 5090", "570.86.15"), ("T4", "470.161.03")),
)
GLIBC = "2.31"
PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
BELOW = (
    "",
    *(f"<{release}" for release in ("2.14", "2.13", "2.12", "2.11", "2.9", "2.8", "2.7", "2.6", "2.5", "2.3", "2.1")),
)
ASKED = (
    ("torch",),
    ("torch", "torchvision"),
    ("torch", "torchvision", "torchaudio"),
    ("torch", "transformers"),
    ("vllm",),
    ("xformers", "torchvision"),
)

SIMPLE = os.environ.get("SIMPLE_INDEX", "")
"""For poetry, where what it asks of the default index cannot be reached: the same index in PEP 503's form."""


def orders() -> tuple[list[Order], list[Order]]:
    """Each distinct plan that the default index serves, and each that only PyTorch's does."""
    served: dict[tuple[object, ...], Order] = {}
    elsewhere: dict[tuple[object, ...], Order] = {}
    for (gpu, driver), python, below, asked in itertools.product(MACHINES, PYTHONS, BELOW, ASKED):
        target = planning.described([gpu], driver, python, glibc=GLIBC)
        wanted = planning.wanted([f"torch{below}", *asked], target.machine)
        chosen = planning.plan(target, wanted).choice
        if chosen is None:
            continue
        key = (chosen.torch, chosen.tag, asked, python)
        if knowledge.default_index_tag(chosen.torch) != chosen.tag:
            elsewhere.setdefault(key, Order(chosen, target, wanted))
        else:
            served.setdefault(key, Order(dataclasses.replace(chosen, index=None), target, wanted))
    return [*served.values()], [*elsewhere.values()]


FORMS = (documents.requirements, documents.pyproject, documents.uv, documents.poetry, documents.pixi)


def not_listed(order: Order) -> list[str]:
    """What the stored listings have against a plan for PyTorch's own index."""
    chosen, system = order.chosen, "linux x86_64"
    case = plan_oracle.Case("", order.target.machine.driver or "", chosen.python or "", system, GLIBC)
    wrong = []
    if (chosen.torch, chosen.tag) not in plan_oracle.published(system):
        wrong.append(f"{chosen.torch} is not listed under {chosen.tag}")
    if not plan_oracle.has_wheel("torch", chosen.torch, case.python, system, GLIBC):
        wrong.append(f"torch {chosen.torch} has no wheel for Python {case.python} and glibc {GLIBC}")
    for name, version in (("torchvision", chosen.torchvision), ("torchaudio", chosen.torchaudio)):
        if version and (fault := plan_oracle.partner_fault(case, name, version, chosen.torch)):
            wrong.append(fault)
    index = f"https://download.pytorch.org/whl/{chosen.tag}"
    return wrong + [f"{form.__name__} does not name {index}" for form in FORMS if index not in form(order)]


def uv_pip(order: Order, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "requirements.in").write_text(documents.requirements(order))
    platform = ["--python-platform", "x86_64-manylinux_2_31", "--python-version", str(order.chosen.python)]
    return run(
        folder, "uv", "pip", "compile", "--no-config", "-q", *platform, "--only-binary", "torch", "requirements.in"
    )


def uv_lock(order: Order, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "pyproject.toml").write_text(documents.uv(order))
    done = run(folder, "uv", "lock", "--python", interpreter(order))
    return (
        done if done.returncode else run(folder, "uv", "sync", "--dry-run", "--locked", "--python", interpreter(order))
    )


def pip(order: Order, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "requirements.txt").write_text(documents.requirements(order))
    # a platform that is named does not stand for those that are older
    perennial = (f"manylinux_2_{minor}_x86_64" for minor in range(5, 32))
    platforms = (*perennial, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64")
    where = [f"--python-version={order.chosen.python}", *(f"--platform={platform}" for platform in platforms)]
    options = ["--dry-run", "--ignore-installed", "--only-binary=:all:", "--quiet", *where, f"--target={folder}/none"]
    return run(folder, sys.executable, "-m", "pip", "install", *options, "-r", "requirements.txt")


def poetry(order: Order, folder: Path) -> subprocess.CompletedProcess[str]:
    source = f'\n[[tool.poetry.source]]\nname = "simple"\nurl = "{SIMPLE}"\npriority = "primary"\n' if SIMPLE else ""
    (folder / "pyproject.toml").write_text(documents.poetry(order) + source)
    used = run(folder, "poetry", "env", "use", interpreter(order))
    return used if used.returncode else run(folder, "poetry", "lock")


RESOLVERS: dict[str, Callable[[Order, Path], subprocess.CompletedProcess[str]]] = {
    "uv-pip": uv_pip,
    "uv-lock": uv_lock,
    "pip": pip,
    "poetry": poetry,
}
NEED_AN_INTERPRETER = ("uv-lock", "poetry")


def interpreter(order: Order) -> str:
    """The Python of a plan, where this machine has it."""
    name = f"python{order.chosen.python}"
    found = [*Path("~/.pyenv/versions").expanduser().glob(f"{order.chosen.python}.*/bin/{name}")]
    return str(found[0]) if found else shutil.which(name) or ""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "POETRY_VIRTUALENVS_IN_PROJECT": "1"}
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, env=environment, timeout=600
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "took more than ten minutes")


def resolved(resolver: str, order: Order) -> bool:
    with tempfile.TemporaryDirectory() as name:
        done = RESOLVERS[resolver](order, Path(name))
    lines = (done.stderr or done.stdout).strip().splitlines() if done.returncode else ["resolved"]
    what = " ".join(order.requirements)
    print(f"{resolver:<8} Python {order.chosen.python:<5} {what:<70} {lines[-1] if lines else 'failed'}", flush=True)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="resolvers", action="append", choices=RESOLVERS, help="else the listings alone")
    parser.add_argument("--most", type=int, default=1000, help="plans a resolver, by a fixed seed")
    arguments = parser.parse_args()
    served, elsewhere = orders()
    good = total = 0
    for resolver in arguments.resolvers or ():
        fitting = [order for order in served if resolver not in NEED_AN_INTERPRETER or interpreter(order)]
        for order in random.Random(14).sample(fitting, min(arguments.most, len(fitting))):
            total += 1
            good += resolved(resolver, order)
    print(f"{good} of {total} resolved; {len(served)} plans are on the default index")
    faults = {order: wrong for order in elsewhere if (wrong := not_listed(order))}
    for order, wrong in faults.items():
        print(f"Python {order.chosen.python}: {' '.join(order.labelled)}: {'; '.join(wrong)}")
    listed = f"{len(elsewhere) - len(faults)} of {len(elsewhere)} plans for PyTorch's index"
    print(f"{listed} hold against its listings of {plan_oracle.DATE}, {len(elsewhere) * len(FORMS)} forms")
    return 0 if good == total and not faults else 1


if __name__ == "__main__":
    sys.exit(main())

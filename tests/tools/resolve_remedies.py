"""Resolves every PyTorch that a remedy can name and the default index serves: run by hand, when the tables change.

    python tests/tools/resolve_remedies.py [--with pip|uv] [--only 2.15.0]

Nothing is installed (`--dry-run`, or `uv pip compile`). pip downloads each wheel to read its metadata, hundreds of
megabytes; uv asks for the metadata alone. What only PyTorch's own index has cannot be resolved here, and is counted.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile

from cudacheck.remedies import torch_choice
from cudacheck.remedies.torch_choice import Machine

CAPABILITIES = ("3.7", "5.0", "6.1", "7.0", "7.5", "8.6", "9.0", "10.0", "12.0")
DRIVERS = (None, "450.80.02", "470.161.03", "525.60.13", "535.129.03", "550.54", "570.26", "580.65.06", "595.45")
PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
COMPANIONS = ((), ("torchvision",), ("torchvision", "torchaudio"))


def forms():
    """Every (specs, Python) that a remedy can name, and whether the default index serves that build."""
    found = {}
    for capability, driver, python, companions in itertools.product(CAPABILITIES, DRIVERS, PYTHONS, COMPANIONS):
        machine = Machine((capability,), driver, python=python, companions=companions)
        choice = torch_choice.choose(machine, None)
        if choice is not None:
            found[choice.specs, python, choice.build.tag] = choice.build.tag == choice.release.default
    return found


def pip(specs, python):
    options = ["--dry-run", "--no-deps", "--ignore-installed", "--only-binary=:all:", "--python-version", python]
    with tempfile.TemporaryDirectory() as target:  # older pips want one, and leave it empty
        command = [sys.executable, "-m", "pip", "install", *options, "--target", f"{target}/none", *specs]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def uv(specs, python):
    options = ["--no-deps", "--only-binary", ":all:", "--python-platform", "x86_64-manylinux_2_28", "--no-config"]
    command = [shutil.which("uv") or "uv", "pip", "compile", *options, "--python-version", python, "-"]
    return subprocess.run(command, input="\n".join(specs), capture_output=True, text=True, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with", dest="resolver", choices=("pip", "uv"), default="uv")
    parser.add_argument("--only", help="the PyTorch release to resolve")
    arguments = parser.parse_args()
    resolve = {"pip": pip, "uv": uv}[arguments.resolver]
    everything = sorted(forms().items(), key=str)
    served = [(specs, python) for (specs, python, _), default in everything if default]
    if arguments.only:
        served = [form for form in served if form[0][0] == f"torch=={arguments.only}"]
    failed = 0
    for specs, python in served:
        done = resolve(specs, python)
        failed += done.returncode != 0
        lines = (done.stderr or done.stdout).strip().splitlines() if done.returncode else ["resolved"]
        print(f"Python {python:<5} {' '.join(specs):<60} {lines[-1]}", flush=True)
    print(f"{len(served)} resolved with {arguments.resolver}, {failed} failed;", end=" ")
    print(f"{sum(not default for _, default in everything)} forms are on PyTorch's own index only")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

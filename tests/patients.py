"""Patients: real environments on disk with a sick (or healthy) PyTorch in them, judged by the installed doctor.

A patient is a folder that Python takes for a venv, with crafted packages in its site-packages; its machine is a
fake driver (tests/fakes, real shared objects) and, where a test wants one, a crafted /proc, /sys and /dev.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cudacheck.cli.app import app

STUBS = Path(__file__).with_name("stubs")
PYTHONS = [f"3.{minor}" for minor in range(8, 15)]
"""The versions that a patient may have; a machine has some of them."""
CUDACHECK = [sys.executable, "-m", "cudacheck"]


@dataclass
class Doctor:
    """What the doctor said."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.stdout)
        return report

    @property
    def rules(self) -> list[str]:
        return [finding["rule"] for finding in self.report["findings"]]

    @property
    def roots(self) -> list[str]:
        """The rules that stand for themselves and are more than a note."""
        findings = self.report["findings"]
        return [f["rule"] for f in findings if f["caused_by"] is None and f["severity"] != "note"]

    def finding(self, rule: str) -> dict[str, Any]:
        findings: list[dict[str, Any]] = self.report["findings"]
        return next(f for f in findings if f["rule"] == rule)

    def commands(self, rule: str) -> list[str]:
        return [command for remedy in self.finding(rule)["remedies"] for command in remedy["commands"]]


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead the doctor elsewhere."""
    hidden = (
        "CUDA",
        "NVIDIA",
        "VIRTUAL_ENV",
        "CONDA",
        "PYTHON",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "FAKE_",
        "TORCH",
        "STUB_",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


@functools.cache
def interpreter(version: str) -> str | None:
    """A Python of that version that starts: itself, not the shim or the environment by which PATH leads to it."""
    asked = "import os, sys; print(os.path.realpath(sys.executable))"
    candidates = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    for candidate in filter(None, candidates):
        told = subprocess.run([candidate, "-c", asked], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            return told.stdout.strip()
    return None


def interpreter_or_skip(version: str) -> str:
    """`interpreter`; the test is skipped where this machine has none."""
    return interpreter(version) or pytest.skip(f"no Python {version} here (on PATH or in pyenv)")


@functools.cache
def version_and_prefix(interpreter: str) -> list[str]:
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"
    return subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def told_by(doctor: subprocess.Popen[str], timeout: float = 60) -> Doctor:
    """What a doctor said, once it is done."""
    with doctor:
        try:
            stdout, stderr = doctor.communicate(timeout=timeout)
        except BaseException:
            doctor.terminate()  # it ends its children, too
            raise
    return Doctor(doctor.returncode, stdout, stderr)


def in_this_process(arguments: list[str], environment: dict[str, str], folder: Path) -> Doctor:
    """Run `cudacheck` where its imports are paid for. The probes run in child processes as ever."""
    taken_away = dict.fromkeys(os.environ.keys() - clean_environment().keys())
    with contextlib.chdir(folder):
        told = CliRunner().invoke(app, arguments, env={**taken_away, **environment}, catch_exceptions=False)
    return Doctor(told.exit_code, told.stdout, told.stderr)


@dataclass
class Patient:
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    interpreter: str = sys.executable

    def __post_init__(self) -> None:
        self.version, base = version_and_prefix(self.interpreter)
        self.site = self.folder / "lib" / f"python{self.version}" / "site-packages"
        self.site.mkdir(parents=True)
        (self.folder / "bin").mkdir()
        real = Path(self.interpreter).resolve()
        (self.folder / "bin" / "python").symlink_to(real)
        (self.folder / "pyvenv.cfg").write_text(
            f"home = {base}/bin\ninclude-system-site-packages = false\nversion = {self.version}\n"
        )

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def write(self, name: str, text: str) -> Path:
        """A file in site-packages."""
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def distribution(
        self,
        name: str,
        version: str,
        requires: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        installer: str = "pip",
    ) -> None:
        """The metadata folder that an installer leaves behind."""
        folder = f"{name.replace('-', '_')}-{version}.dist-info"
        lines = [
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
            *(f"Requires-Dist: {r}" for r in requires),
        ]
        self.write(f"{folder}/METADATA", "\n".join(lines) + "\n")
        self.write(f"{folder}/INSTALLER", installer + "\n")
        self.write(
            f"{folder}/RECORD",
            "".join(f"{file},,\n" for file in (*files, f"{folder}/METADATA", f"{folder}/RECORD")),
        )

    def torch(
        self,
        version: str,
        cuda: str | None,
        archs: str = "",
        *,
        on_import: str = "",
        requires: tuple[str, ...] = (),
        gpu: bool = False,
    ) -> None:
        """A stub PyTorch. `archs` is the arch list as the real library holds it, `sm_80 sm_86`.

        Light by default: its CUDA is unavailable, or fails as STUB_TORCH_CUDA says. With `gpu` it is the real CPU
        build with a GPU that is not there (tests/stubs/gpu_on_cpu). `on_import` is run at import.
        """
        shutil.copytree(STUBS / ("gpu_on_cpu" if gpu else "torch"), self.site / "torch", dirs_exist_ok=True)
        self.write(
            "torch/version.py",
            f"__version__ = {version!r}\ndebug = False\ncuda = {cuda!r}\ngit_version = 'stub'\nhip = None\n",
        )
        (self.site / "torch" / "lib").mkdir(exist_ok=True)
        (self.site / "torch" / "lib" / "libtorch_python.so").write_bytes(b"\x7fELF stub\0" + archs.encode() + b"\0")
        if cuda:
            (self.site / "torch" / "lib" / "libtorch_cuda.so").write_bytes(b"\x7fELF stub\0")
        if on_import:
            init = self.site / "torch" / "__init__.py"
            init.write_text(textwrap.dedent(on_import) + "\n" + init.read_text())
        if gpu:
            self.environment["STUB_REAL_TORCH"] = sysconfig.get_path("purelib")
        self.distribution("torch", version.partition("+")[0], requires)

    def doctor(self, *options: str, timeout: float = 60, bench: bool = True, output_format: str = "json") -> Doctor:
        """Run the installed `cudacheck doctor` on this patient."""
        return told_by(self.start_doctor(*options, bench=bench, output_format=output_format), timeout)

    def start_doctor(self, *options: str, bench: bool = True, output_format: str = "json") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*CUDACHECK, *self.arguments(*options, bench=bench, output_format=output_format)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**clean_environment(), **self.environment},
        )

    def doctor_in_this_process(self, *options: str, bench: bool = True) -> Doctor:
        """The same command line: for many patients that differ in what is found on them."""
        return in_this_process(self.arguments(*options, bench=bench), self.environment, self.folder)

    def arguments(self, *options: str, bench: bool = True, output_format: str = "json") -> list[str]:
        no_bench = [] if bench else ["--no-bench"]
        return ["doctor", "--python", str(self.python), "--format", output_format, *options, *no_bench]

    def fingerprint(self) -> dict[str, bytes | str]:
        """Every file and link of the environment with its content."""
        return {
            str(path.relative_to(self.folder)): os.readlink(path)
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else b""
            for path in sorted(self.folder.rglob("*"))
        }

"""What is released: built twice it is the same, it is small, well described, and runs from the wheel alone."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import cudacheck

ROOT = Path(__file__).parents[1]
MOST_BYTES = 1_100_000
SENTENCE = "RuntimeError: Found no NVIDIA driver on your system."

pytestmark = pytest.mark.whole
pytest.importorskip("build", reason="needs the group `release` of pyproject.toml")
pytest.importorskip("hatchling", reason="needs the group `release` of pyproject.toml")


def built(into: Path) -> Path:
    """A folder with wheel and sdist, made of a copy of this checkout that has times of its own."""
    source = into / "source"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into / "dist", source],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
    )
    return into / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    return built(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def wheel(dist):
    (found,) = dist.glob("*.whl")
    return found


def test_two_builds_are_the_same(dist, tmp_path):
    again = built(tmp_path)
    names = sorted(path.name for path in dist.iterdir())
    assert len(names) == 2
    assert [(again / name).read_bytes() for name in names] == [(dist / name).read_bytes() for name in names]


def test_the_wheel_is_small_and_holds_the_package_alone(wheel):
    assert wheel.stat().st_size <= MOST_BYTES
    with zipfile.ZipFile(wheel) as packed:
        assert {name.partition("/")[0] for name in packed.namelist()} == {
            "cudacheck",
            f"cudacheck-{cudacheck.__version__}.dist-info",
        }


def test_an_index_would_take_it(dist):
    pytest.importorskip("twine", reason="needs the group `release` of pyproject.toml")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir()], check=True, timeout=60)


def test_it_runs_from_the_wheel(wheel, tmp_path):
    """In an environment of its own, to which only the dependencies are lent."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    (packages,) = home.glob("lib/*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    (tmp_path / "paste.txt").write_text(SENTENCE, encoding="utf-8")

    def said(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [home / "bin" / "cudacheck", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)

    asked = [python, "-c", "import cudacheck; print(cudacheck.__file__)"]
    where = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert where.stdout.startswith(str(home))
    assert said("--version").stdout.startswith(f"cudacheck {cudacheck.__version__} ")
    judged = said("doctor", "--from", "paste.txt", "--no-config")
    assert judged.returncode == 1, judged.stderr
    assert "driver-missing" in judged.stdout

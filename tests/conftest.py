"""Fixtures that several test files share."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

FAST = "not whole"
"""What runs where nothing in particular is asked for: it takes a minute. CI asks for all of it."""
FAKES = Path(__file__).parent / "fakes"
SONAMES = {"fakecuda.c": "libcuda.so.1", "fakenvml.c": "libnvidia-ml.so.1"}


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background hands it on ignored
    if not config.option.markexpr and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.option.markexpr = FAST


@pytest.fixture(scope="session")
def fake_driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libcuda.so.1 and a libnvidia-ml.so.1 that answer what FAKE_* variables say (see fakes/)."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler (cc) for Linux to build the fake driver with")
    folder = tmp_path_factory.mktemp("fake-driver")
    for source, soname in SONAMES.items():
        flags = ["-shared", "-fPIC", "-O1", f"-Wl,-soname,{soname}"]
        subprocess.run([compiler, *flags, "-o", folder / soname, FAKES / source], check=True)
    return folder


@pytest.fixture
def fake_driver(fake_driver_folder: Path) -> Callable[..., dict[str, str]]:
    """Build the environment of a process that finds the fake driver: `fake_driver(FAKE_CUINIT=803)`."""

    def environment(**variables: object) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CUDA", "FAKE_", "LD_", "NVIDIA"))}
        asked = {name: str(value) for name, value in variables.items()}
        return {**inherited, "LD_LIBRARY_PATH": str(fake_driver_folder), **asked}

    return environment

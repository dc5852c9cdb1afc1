"""What travels to a node that has no cudacheck: our own files and the pure Python that an inspection imports.

All nodes run the same version, nothing is installed or downloaded, and a node needs Python alone. What was unpacked is
taken away again.
"""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from pathlib import Path

from cudacheck.collecting import Asked
from cudacheck.collecting.on_node import MARK, NAME

OLDEST = (3, 11)
PARTS = ("cudacheck", "packaging", "pynvml", "rich")
"""tests/test_collecting.py runs an interpreter that has nothing else."""

START = f"""
import os, sys
packed = sys.stdin.buffer.read()
def failed(why):
    print({MARK!r}, os.environ.get({NAME!r}) or os.uname().nodename, "failed", why, flush=True)
    raise SystemExit
if sys.version_info < {OLDEST}:
    failed("%s is Python %d.%d, and cudacheck needs {OLDEST[0]}.{OLDEST[1]}" % (sys.executable, *sys.version_info[:2]))
import io, shutil, signal, tempfile, zipfile
signal.signal(signal.SIGINT, signal.default_int_handler)  # an engine in the background hands it on ignored
signal.signal(signal.SIGUSR1, lambda *_: signal.raise_signal(signal.SIGINT))
try:
    folder = tempfile.mkdtemp(prefix="cudacheck-")
except OSError as error:
    failed("no room to unpack cudacheck: %s" % error)
try:
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        files.extractall(folder)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    from cudacheck.collecting import on_node
    on_node.main(sys.argv[1])
except (OSError, ImportError, zipfile.BadZipFile) as error:
    failed("cudacheck cannot be started: %s" % error)
finally:
    shutil.rmtree(folder, ignore_errors=True)
"""
"""Run by the node's interpreter: `python -I -c START ASKED`, the payload on stdin.

All of it is read whatever comes: where one task leaves some of it, srun aborts the step on every node.
"""


def asked_of_node(asked: Asked) -> str:
    """The arguments of `cudacheck.inspect`, as JSON."""
    return json.dumps({"python": asked.python, "bench": asked.bench, "timeout_s": asked.inspection_s})


def payload() -> bytes:
    """The files as a zip of about 1 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as files:
        for name in PARTS:
            for path, inside in _files(name):
                files.write(path, inside)
    return buffer.getvalue()


def _files(name: str) -> list[tuple[Path, str]]:
    """Of a package or module that can be imported here, with their places in the zip."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"{name} is not installed")
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(origin, origin.name)]
    home = origin.parent
    found = (path for path in sorted(home.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return [(path, f"{name}/{path.relative_to(home).as_posix()}") for path in found]

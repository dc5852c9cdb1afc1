"""A copy of the package, to be changed and asked through real processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from patients import clean_environment

PACKAGE = Path(__file__).parents[1] / "cudacheck"


class Copy:
    """A copy of the package, and its command."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "cudacheck"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, path: str, text: str) -> None:
        (self.package / path).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from cudacheck.__main__ import main; main()", *arguments]
        environment = {**clean_environment(), "PYTHONPATH": str(self.package.parent), "PYTHONSAFEPATH": ""}
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment,
            cwd=self.package.parent,
        )

    def doctor(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        done = self.run("doctor", "--format", "json", *arguments, stdin=stdin)
        assert done.returncode in {0, 1}, done.stderr
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

"""What an extra of cudacheck brings, and how to add it where it is missing."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec


def installing(extra: str) -> str:
    """The line that adds an extra to the environment in which this very process runs."""
    python = shlex.quote(sys.executable)
    pip = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{pip} 'cudacheck[{extra}]'"

"""Which tests run: the fast ones, unless a file or -m asks for others. Asked of a pytest in a tree of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        ((), {"fast"}),
        (("-k", "one"), {"fast"}),
        (("-m", "whole"), {"whole"}),
        (("-m", "whole or not whole"), {"fast", "whole"}),
        (("tests/test_it.py",), {"fast", "whole"}),
        (("-m", "not whole", "tests/test_it.py"), {"fast"}),
    ],
)
def test_what_runs(tmp_path, arguments, ran):
    (tmp_path / "tests").mkdir()
    shutil.copy(HERE / "conftest.py", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\nmarkers = whole: slow\n", encoding="utf-8")
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pytest\ndef test_one_fast(): pass\n@pytest.mark.whole\ndef test_one_whole(): pass\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "no:cacheprovider", "-v", *arguments]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert set(re.findall(r"test_one_(\w+) PASSED", told.stdout)) == ran


def test_ci_takes_a_command_that_runs_everything():
    """.ci/run evaluates the README's first line of this kind."""
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if "pip install -e '.[test]'" in line)
    assert command.endswith('python -m pytest -m "whole or not whole"')

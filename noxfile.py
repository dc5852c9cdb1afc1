"""What there is to run, each in an environment of its own: `nox -s test`, `nox --list`; `pip install nox` first."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "test"]


@nox.session
def test(session: nox.Session) -> None:
    """The fast tests: a minute."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def whole(session: nox.Session) -> None:
    """All tests, as CI runs them."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "whole or not whole", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The fast tests with the oldest release of each dependency that pyproject.toml allows; `test` has the newest."""
    oldest = str(session.create_tmp() / "oldest.txt")
    session.install("-e", ".[test]", "uv")
    session.run("uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "pyproject.toml", "-o", oldest)
    session.install("-r", oldest)
    session.run("pytest", "-W", "ignore::DeprecationWarning", *session.posargs)  # of an old Typer beside today's Click


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and types, without changing a file."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def release(session: nox.Session) -> None:
    """What is released: built twice, checked, and run from the wheel."""
    session.install("-e", ".[test]", "build>=1.2", "hatchling>=1.27", "twine>=6.1")
    session.run("pytest", "-n", "0", "tests/test_release.py", "-m", "whole")


@nox.session
def docs(session: nox.Session) -> None:
    """Write what is generated in docs/ anew."""
    session.install("-e", ".")
    session.run("python", "docs/generate.py")


@nox.session
def site(session: nox.Session) -> None:
    """Build the site of the docs: build/site/index.html."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "build/site")


@nox.session
def bench(session: nox.Session) -> None:
    """How long the doctor takes beside the bare work: `nox -s bench -- --torch-python PYTHON`."""
    session.install("-e", ".")
    session.run("python", "benchmarks/speed.py", *session.posargs)

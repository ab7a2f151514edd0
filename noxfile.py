"""Tests, lint and wheel, each in an environment of its own: ``nox``, or ``nox -s tests``."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "tests", "wheel"]
nox.options.reuse_venv = "yes"


@nox.session
def tests(session: nox.Session) -> None:
    """The tests; arguments after -- go to pytest."""
    session.install("-e", ".[test,parquet,photos]")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "2"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff and mypy."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it, and run the quick study outside the checkout."""
    session.install("build")
    folder = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder / "dist"))
    (built,) = (folder / "dist").glob("*.whl")
    session.install("--force-reinstall", str(built))
    session.chdir(folder)
    session.run("python", "-m", "varstudy", "run", "--quick", "--out", str(folder / "quick"))

#!/usr/bin/env python3
# /// script
# dependencies = ["nox>=2024.10.9"]
# ///
"""Tests, lint, documentation and wheel, each in an environment of its own: ``nox``, or ``nox -s tests``."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, mypy, and what a repository should have."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("repo-review", ".")


@nox.session
def tests(session: nox.Session) -> None:
    """The tests; arguments after -- go to pytest."""
    session.install("-e", ".[test,parquet,photos]")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "2", "--dist", "loadfile"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into build/docs, where a warning is an error; then test them, and CITATION.cff."""
    session.install("-e", ".[test,docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "build/docs")
    session.run("python", "-m", "pytest", "-q", "tests/test_docs.py", "tests/test_docs_pages.py")


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


if __name__ == "__main__":
    nox.main()

"""Where the league's functions run: in this interpreter, or in the pinned environments."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ..environments import EnvironmentProblem, Interpreter, install, installed
from ..libraries.declaring import Function
from ..probes import SCRIPTS

__all__ = ["absent", "here", "pinned"]

GPU = "it needs a GPU, and none of the league's environments has one"


def here(function: Function) -> Interpreter | str:
    """This interpreter, where it has all that the function's adapter imports."""
    library = function.belongs_to
    for module in library.without:
        if importlib.util.find_spec(module) is not None:
            return f"{module} is installed here, and {library.name} answers otherwise with it"
    needed = [module for module in library.needs if importlib.util.find_spec(module) is None]
    missing = needed or list(absent(function.adapter))
    if missing:
        return (
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed here: python -m varstudy "
            f"libraries --install --only {function.library!r} measures it in an environment of its own"
        )
    return Interpreter(sys.executable, _variables(function), "this environment")


@cache
def absent(adapter: Path) -> tuple[str, ...]:
    """The packages that an adapter imports and this interpreter does not have; nothing is imported to find out."""
    named: set[str] = set()
    tree = ast.parse(adapter.read_text("utf-8"))
    tried = {id(node) for block in ast.walk(tree) if isinstance(block, ast.Try) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in tried:
            continue  # it does without
        if isinstance(node, ast.Import):
            named.update(each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named.add(node.module.partition(".")[0])
    own = {path.stem for path in SCRIPTS.glob("*.py")}
    return tuple(sorted(name for name in named - own if importlib.util.find_spec(name) is None))


def _variables(function: Function) -> dict[str, str]:
    found = function.belongs_to.runs_in
    return {} if found is None else {k: v for k, v in found.variables.items() if "{folder}" not in v}


def pinned(make: bool, say: Callable[[str], None]) -> Callable[[Function], Interpreter | str]:
    """The pinned environments: those that are there, or, with `make`, all of them.

    Parameters
    ----------
    say : gets a line for what takes long.
    """

    def where(function: Function) -> Interpreter | str:
        found = function.belongs_to.runs_in
        if found is None:
            return GPU
        try:
            ready = install(found, say) if make else installed(found)
        except EnvironmentProblem as problem:
            return str(problem)
        if ready is None:
            return (
                f"its environment {found.name!r} is not there: "
                f"'python -m varstudy libraries --install --only {function.library!r}' makes it"
            )
        variables = {k: v.replace("{folder}", str(ready.folder)) for k, v in found.variables.items()}
        return Interpreter(str(ready.python), variables, found.name)

    return where

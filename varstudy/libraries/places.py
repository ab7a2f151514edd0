"""Where the league's functions run: in this interpreter, or in the pinned environments."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..environments import EnvironmentProblem, install, installed
from .catalogue import Function, environment
from .measure import Place

__all__ = ["here", "pinned"]

GPU = "it needs a GPU, and none of the league's environments has one"


def here(function: Function) -> Place | str:
    """This interpreter, whatever is installed beside it."""
    return sys.executable, _variables(function)


def _variables(function: Function) -> dict[str, str]:
    found = environment(function.environment)
    return {} if found is None else {k: v for k, v in found.variables.items() if "{folder}" not in v}


def pinned(make: bool, say: Callable[[str], None]) -> Callable[[Function], Place | str]:
    """The pinned environments: those that are there, or, with `make`, all of them.

    Parameters
    ----------
    say : told what takes long.
    """

    def where(function: Function) -> Place | str:
        found = environment(function.environment)
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
        return str(ready.python), {k: v.replace("{folder}", str(ready.folder)) for k, v in found.variables.items()}

    return where

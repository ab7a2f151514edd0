"""Finding the function that is scored: in a module, or in a Python file."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..._io.matching import nearest
from .calling import CallableProblem, text_of

__all__ = ["resolve"]


def resolve(spec: str) -> Callable[..., Any]:
    """The function called ``module:function`` or ``file.py:function``; the part after the last colon may have dots.

    Parameters
    ----------
    spec : such as ``numpy:var``, ``./mine.py:f`` or ``path/to/mine.py:f``.

    Raises
    ------
    CallableProblem
        There is no colon, no such module, file or attribute, its import fails, or it cannot be called.
    """
    where, colon, path = spec.rpartition(":")
    if not colon and _is_file(spec):
        raise CallableProblem(f"{spec!r} does not name a function: write {spec}:FUNCTION{_defined(Path(spec))}")
    if not (colon and where and path):
        raise CallableProblem(
            f"{spec!r} does not name a function: write MODULE:FUNCTION, such as numpy:var, or FILE.py:FUNCTION"
        )
    found: Any = _from_file(where) if _is_file(where) else _from_module(where, path)
    name = where
    for part in path.split("."):
        if not hasattr(found, part):
            names = [each for each in dir(found) if not each.startswith("_")]
            hint = nearest(part, names, f"it has {', '.join(names)}" if 0 < len(names) <= 5 else "check its name")
            raise CallableProblem(f"{name} has no {part!r}: {hint}")
        found, name = getattr(found, part), f"{name}.{part}"
    if not callable(found):
        raise CallableProblem(f"{spec!r} is of type {type(found).__name__}, and cannot be called: name a function")
    return found  # type: ignore[no-any-return]


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where or "\\" in where


def _defined(file: Path) -> str:
    """The functions that a file defines, for a sentence."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return ""
    names = [each.name for each in body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
    return f"; it defines {', '.join(names)}" if names else ""


def _from_module(name: str, path: str) -> ModuleType:
    try:
        return _imported(name, lambda: importlib.import_module(name))
    except ModuleNotFoundError as error:
        if Path(f"{name}.py").is_file():
            raise CallableProblem(f"module {name!r} is unknown: for the file here write ./{name}.py:{path}") from error
        known = {*sys.stdlib_module_names, *(each.name for each in pkgutil.iter_modules())}
        hint = nearest(name, sorted(known), f"install it, or give its file: path/to/{name}.py:{path}", cutoff=0.75)
        raise CallableProblem(f"module {name!r} is unknown: {hint}") from error


def _from_file(where: str) -> ModuleType:
    file = Path(where)
    if file.is_dir():
        raise CallableProblem(f"{where} is a folder: name a Python file in it, such as {file / 'mine.py'}:f")
    if not file.is_file():
        beside = [str(each) for each in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise CallableProblem(f"{where} does not exist: {nearest(where, beside, 'check the path')}")
    # Its own name would hide a module of this name: a file may be called numpy.py.
    found = importlib.util.spec_from_file_location(f"_scored_{file.stem}", file)
    if found is None or found.loader is None or file.suffix != ".py":
        raise CallableProblem(f"{where} is not a Python file: name one that ends in .py")
    module, loader = importlib.util.module_from_spec(found), found.loader
    # As Python does for a script, so that it can import the files next to it.
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.modules[module.__name__] = module

    def load() -> ModuleType:
        loader.exec_module(module)
        return module

    return _imported(where, load)


def _imported(name: str, load: Callable[[], ModuleType]) -> ModuleType:
    """Import a module; its printing is kept from the standard output.

    Raises
    ------
    CallableProblem
        It fails, or needs a module that is not there.
    ModuleNotFoundError
        There is no module of this name itself.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return load()
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError):
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                raise
            raise CallableProblem(f"{name} needs {error.name!r}, which is not installed: install it") from error
        raise CallableProblem(f"{name} cannot be imported ({text_of(error)}): fix the import error first") from error

"""Makes environments in the cache folder, each whole or not marked as made; half of one is completed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varkernels.folders import user_cache_folder

from ..._io.atomic import write_whole
from . import failures, pythons, stubs
from .declaring import Environment, library

__all__ = [
    "EnvironmentProblem",
    "Installed",
    "create_folder",
    "folder",
    "install",
    "installed",
    "interpreter",
    "root",
    "variables",
]

MARKER = "varstudy.json"
# Seconds that one command of an installer may take: a large wheel over a slow line.
PATIENCE = 7200
# What pip unpacks and keeps next to the result while it works, as a share of the result.
ROOM = 1.5


class EnvironmentProblem(ValueError):
    """An environment that cannot be made: one sentence that says why and what to do."""


@dataclass(frozen=True)
class Installed:
    """An environment that is there.

    Attributes
    ----------
    folder : where it is. python : its interpreter, a path.
    packages : package and version of all that is in it, in lower case and with hyphens.
    """

    folder: Path
    python: Path
    packages: dict[str, str]


def root() -> Path:
    """The folder of all environments, in the user's cache folder."""
    return user_cache_folder() / "environments"


def folder(environment: Environment) -> Path:
    """The folder of one."""
    return root() / environment.name


def interpreter(environment: Environment) -> Path:
    """The path of an environment's Python, whether it is there or not."""
    return folder(environment) / "bin" / "python"


def variables(environment: Environment) -> dict[str, str]:
    """What a process in it has in its own environment."""
    where = folder(environment)
    found = {name: value.replace("{folder}", str(where)) for name, value in environment.variables.items()}
    if environment.links or environment.stubs:
        given = os.environ.get("LD_LIBRARY_PATH")
        found["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [str(where / "links"), given]))
    return found


def _marker(environment: Environment) -> dict[str, Any]:
    """What the marker says of the environment in the folder; nothing where there is none that can be read."""
    try:
        marker = json.loads((folder(environment) / MARKER).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def installed(environment: Environment) -> Installed | None:
    """What is there of an environment, if it is installed whole and to these pins; None where that is not so."""
    marker, python = _marker(environment), interpreter(environment)
    packages = marker.get("packages")
    if marker.get("digest") != environment.digest() or not python.exists() or not isinstance(packages, dict):
        return None
    return Installed(folder(environment), python, {str(k): str(v) for k, v in packages.items()})


def create_folder(environment: Environment, base: str, tool: str | None) -> None:
    """Make the folder of an environment, with its interpreter and pip.

    Parameters
    ----------
    base : the interpreter that it is of. tool : the path of uv; None for venv.

    Raises
    ------
    EnvironmentProblem
        Neither can.
    """
    where = str(folder(environment))
    if tool is not None:
        if _attempt(environment, [tool, "venv", "--seed", "--python", base, where])[0]:
            return
        shutil.rmtree(where, ignore_errors=True)
    _do(environment, [base, "-I", "-m", "venv", where])


def install(
    environment: Environment,
    say: Callable[[str], None] = lambda text: None,
    create: Callable[[Environment, str, str | None], None] = create_folder,
) -> Installed:
    """Make an environment, or complete half of one; nothing is done where it is there.

    Parameters
    ----------
    environment : one of ENVIRONMENTS, or another.
    say : gets a line for each step that takes long. create : makes the folder, as `create_folder` does.

    Raises
    ------
    EnvironmentProblem
        It cannot be made: no such Python, no network, a full disk, no such version, a package of the system missing.
    """
    name = environment.name
    ready = installed(environment)
    if ready is not None:
        return ready
    missing = environment.missing()
    if missing:
        raise EnvironmentProblem(f"{name}: {' and '.join(missing)} must be there: apt install {' '.join(missing)}")
    try:
        root().mkdir(parents=True, exist_ok=True)
        with _lock(environment, say):
            ready = installed(environment)  # another process may have made it meanwhile
            return ready if ready is not None else _make(environment, say, create)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _problem(environment, failures.DISK) from error
        raise EnvironmentProblem(f"{name}: {error.filename or root()} cannot be used ({error.strerror})") from error


@contextlib.contextmanager
def _lock(environment: Environment, say: Callable[[str], None]) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    with (root() / f".{environment.name}.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{environment.name}: another process is making it; waiting for that")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(
    environment: Environment, say: Callable[[str], None], create: Callable[[Environment, str, str | None], None]
) -> Installed:
    where, python = folder(environment), interpreter(environment)
    # Whole, to other pins: what they brought must not stay. Without a mark it is half of this one.
    if _marker(environment).get("digest", "") not in ("", environment.digest()):
        say(f"{environment.name}: what is there has other pins; it is made afresh")
        shutil.rmtree(where)
    (where / MARKER).unlink(missing_ok=True)
    _room(environment)
    tool = pythons.uv() if environment.installer == "uv" else None
    works = pythons.version(python) == environment.python
    if not works or (tool is None and not _has_pip(python)):
        if where.exists():
            say(f"{environment.name}: what is there does not run; it is made afresh")
            shutil.rmtree(where)
        base = pythons.find(environment.python) or _brought(environment)
        if base is None:
            raise EnvironmentProblem(
                f"{environment.name}: there is no Python {environment.python} on PATH or among pyenv's: install it "
                f"(pyenv install {environment.python}), or uv, which brings it"
            )
        say(f"{environment.name}: a new environment of Python {environment.python}")
        create(environment, base, tool)
    size = f"{environment.megabytes} MB" if environment.megabytes else "size unknown"
    say(f"{environment.name}: installing {', '.join(environment.requirements)} ({size})")
    _packages(environment, tool, environment.requirements)
    if environment.without_dependencies:
        _packages(environment, tool, environment.without_dependencies, "--no-deps")
    _node(environment)
    _links(environment)
    _stubs(environment)
    packages = _freeze(environment)
    marker = {"digest": environment.digest(), "python": environment.python, "packages": packages}
    write_whole(where / MARKER, json.dumps(marker, indent=1, sort_keys=True).encode())
    ready = installed(environment)
    if ready is None:
        raise EnvironmentProblem(f"{environment.name}: its folder changed while it was made: install it again")
    return ready


def _room(environment: Environment) -> None:
    """Refuse beforehand what will not fit."""
    free = shutil.disk_usage(root()).free / 1e6
    need = environment.megabytes * ROOM
    if free < need:
        there = sum(path.lstat().st_size for path in folder(environment).rglob("*") if path.is_file()) / 1e6
        if free < need - there:
            raise EnvironmentProblem(
                f"{environment.name}: it needs {need:.0f} MB of disk, {free:.0f} MB are free: free some space, or set "
                "XDG_CACHE_HOME to another disk"
            )


def _has_pip(python: Path) -> bool:
    return subprocess.run([python, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _brought(environment: Environment) -> str | None:
    """A Python that uv brings; None where there is no uv."""
    tool = pythons.uv()
    if tool is None:
        return None
    _do(environment, [tool, "python", "install", environment.python])
    return pythons.find(environment.python)


def _packages(environment: Environment, tool: str | None, requirements: tuple[str, ...], *options: str) -> None:
    """Install; where uv cannot (its index or its resolver is another's), pip is asked."""
    python = str(interpreter(environment))
    words = [tool or "", "pip", "install", "--python", python, *options, *requirements]
    if tool is not None:
        if _attempt(environment, words)[0]:
            return
        if not _has_pip(interpreter(environment)):
            _do(environment, [python, "-I", "-m", "ensurepip"])
    _do(environment, [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", *options, *requirements])


def _node(environment: Environment) -> None:
    if environment.node:
        where = folder(environment) / "node"
        where.mkdir(exist_ok=True)
        _do(environment, ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(where), *environment.node])


def _links(environment: Environment) -> None:
    where = folder(environment) / "links"
    for name, target in environment.links.items():
        found = library(target)
        if found is None:
            raise EnvironmentProblem(f"{environment.name}: the system has no {target}")
        where.mkdir(exist_ok=True)
        (where / name).unlink(missing_ok=True)
        (where / name).symlink_to(found)


def _stubs(environment: Environment) -> None:
    if not environment.stubs:
        return
    where = folder(environment)
    library = next(iter(sorted(where.glob(environment.stubs_for))), None)
    if library is None:
        raise EnvironmentProblem(f"{environment.name}: there is no {environment.stubs_for} in it: install it again")
    try:
        stubs.make(library, environment.stubs, where / "links")
    except subprocess.CalledProcessError as error:
        raise _problem(environment, error.stderr or f"{error.cmd[0]} failed") from error


def _freeze(environment: Environment) -> dict[str, str]:
    """Package and version of all that is there, as pkg_resources or importlib.metadata tells; pip's answer."""
    text = _do(environment, [str(interpreter(environment)), "-I", "-m", "pip", "list", "--format", "json"])
    start = text.find("[{")
    try:
        found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else []
    except ValueError as error:
        raise EnvironmentProblem(
            f"{environment.name}: pip does not list what it installed: install it again"
        ) from error
    return {str(each["name"]).lower().replace("_", "-"): str(each["version"]) for each in found}


def _problem(environment: Environment, printed: str) -> EnvironmentProblem:
    return EnvironmentProblem(failures.explain(printed, environment.name, environment.python))


def _do(environment: Environment, words: list[str]) -> str:
    """What a command printed; EnvironmentProblem where it failed."""
    done, text = _attempt(environment, words)
    if not done:
        raise _problem(environment, text)
    return text


def _attempt(environment: Environment, words: list[str]) -> tuple[bool, str]:
    """Whether a command did its work, and all that it printed; that is kept in a log next to the folders."""
    # PYTHON* and VIRTUAL_ENV would make pip look elsewhere; its own settings (an index, a proxy) are the user's.
    given = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "VIRTUAL_ENV"}
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=given,
            start_new_session=True,
        )
    except FileNotFoundError:
        return False, f"{words[0]} is not there"
    try:
        text, _ = process.communicate(timeout=PATIENCE)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, code = process.communicate()[0] + f"\nerror: it did not end within {PATIENCE} s", 1
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    with contextlib.suppress(OSError):
        (root() / f".{environment.name}.log").write_text(text)
    return not code, text

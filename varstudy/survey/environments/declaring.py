"""What an environment is: a Python, pinned packages, and what the system must bring."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Environment", "Interpreter", "Need", "library"]

# Where a system keeps shared libraries.
LIBRARIES = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib64")


def library(name: str) -> Path | None:
    """A shared library of the system by its file name; None where there is none."""
    for folder in LIBRARIES:
        for found in sorted(Path("/").glob(folder.removeprefix("/") + "/" + name)):
            return found
    return None


@dataclass(frozen=True)
class Need:
    """A package of the system that must be there; it is never installed from here.

    Attributes
    ----------
    package : Debian's name of it. command, library : what tells that it is there: a program on PATH, a library's file.
    """

    package: str
    command: str = ""
    library: str = ""

    def met(self) -> bool:
        """Whether it is there."""
        if self.command and shutil.which(self.command) is None:
            return False
        return not self.library or library(self.library) is not None


@dataclass(frozen=True)
class Environment:
    """One environment.

    Attributes
    ----------
    name : also its folder's. python : its version, such as ``3.11``.
    requirements : pinned, installed together. without_dependencies : installed afterwards, and nothing with them.
    node : packages of npm, in the folder ``node`` of the environment. needs : what the system must bring.
    links : file names in its folder ``links``, and the libraries of the system that they stand for; the folder is
        searched for libraries when a script runs there.
    stubs : libraries that are made empty in that folder.
    stubs_for : a glob in the environment's folder: the library that would not load without them.
    variables : of every process there; ``{folder}`` stands for the environment's folder.
    installer : ``uv`` where it is present, else pip; or always ``pip``.
    megabytes : what it takes on disk, measured, rounded up. quirk : one sentence for those who wonder.
    aliases : a package as its own version names it, and the requirement that brings it where that has another name.
    """

    name: str
    python: str
    requirements: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    stubs: tuple[str, ...] = ()
    stubs_for: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    installer: str = "uv"
    megabytes: int = 0
    quirk: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Environment:
        """An environment from JSON: an object with the attributes that are not the defaults."""
        given: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in facts.items()}
        given["needs"] = tuple(Need(**each) for each in facts.get("needs", ()))
        return cls(**given)

    def digest(self) -> str:
        """What decides the content of its folder, as hexadecimal digits."""
        parts = {
            "python": self.python,
            "requirements": list(self.requirements),
            "without_dependencies": list(self.without_dependencies),
            "node": list(self.node),
            "links": dict(self.links),
            "stubs": list(self.stubs),
        }
        parts = {name: part for name, part in parts.items() if part}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def pins(self) -> dict[str, str]:
        """Package and pinned version, of the requirements that pin one."""
        split = [each.split("==") for each in (*self.requirements, *self.without_dependencies) if "==" in each]
        return {name.split("[")[0].lower().replace("_", "-"): version for name, version in split}

    def missing(self) -> list[str]:
        """Debian packages that are not there."""
        return [need.package for need in self.needs if not need.met()]


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs a framework or a library.

    Attributes
    ----------
    python : its path. variables : environment variables of its processes. title : its environment, for people.
    """

    python: str
    variables: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

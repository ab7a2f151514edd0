"""The committed PTX: its manifest, a kernel's text, and whether both still belong to the sources."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .errors import DeviceError

__all__ = [
    "FOLDER", "OLDEST_GPU", "TARGETS", "checked_text", "digest", "entries", "entry", "file_texts", "for_driver",
    "functions_of", "manifest", "source_hash", "stale", "text",
]  # fmt: skip

FOLDER = Path(__file__).parent.parent / "ptx"
TARGETS = ("sm_80", "sm_90")
# The oldest GPU that the kernels run on, by its compute capability, and the head of a text that it loads: no kernel has
# an instruction that is newer, as the assembler verifies.
OLDEST_GPU = (7, 5)
_FOR_DRIVERS = ("7.0", "sm_75")
SCHEMA = 1

# A kernel's text starts after this line, which ends with its entry's name, and ends before the next.
MARK = "// kernel "

# What every kernel depends on, apart from the verbs of its formula.
_COMMON = (
    "verbs.py",
    "smallfloat.py",
    "jit.py",
    "formats.py",
    "cuda/abi.py",
    "cuda/build/compiling.py",
    "cuda/catalogue.py",
    "cuda/contraction.py",
    "cuda/exact_digits.py",
    "cuda/exact_sums.py",
    "cuda/intrinsics.py",
    "cuda/lanes.py",
    "cuda/schedules.py",
    "cuda/stages.py",
    "cuda/build/text.py",
)


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _source(name: str) -> str:
    # Read as text, so that a checkout with other line ends has the same hash.
    return (Path(__file__).parent.parent / name).read_text(encoding="utf-8")


def functions_of(function: Any, found: dict[str, str]) -> None:
    """Add the source of a function and of all that it calls in this package, by name."""
    name = f"{function.__module__}.{function.__qualname__}"
    if name in found or not function.__module__.startswith(__package__.partition(".")[0] + "."):
        return
    found[name] = inspect.getsource(function)
    for used in function.__code__.co_names:
        value = function.__globals__.get(used)
        if inspect.isfunction(value):
            functions_of(value, found)


def source_hash(formula: Any) -> str:
    """The hash of the sources that a formula's kernels are compiled from: of its verbs, whatever else its file says."""
    texts = {name: _source(name) for name in _COMMON}
    while formula is not None and not isinstance(formula, str):
        texts[formula.state.__name__] = " ".join(formula.state._fields)
        for verb in (formula.update, formula.read, formula.merge, formula.start, formula.tile):
            if verb is not None:
                functions_of(verb, texts)
        formula = formula.centre
    return digest("\n".join(f"{name}\n{texts[name]}" for name in sorted(texts)))


@cache
def manifest() -> dict[str, Any]:
    """The manifest of the committed PTX.

    Raises
    ------
    DeviceError
        It is missing or of another version of this package.
    """
    path = FOLDER / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DeviceError(
            f"the compiled kernels' manifest {path} cannot be read ({problem}): run python -m varkernels.cuda.build"
        ) from None
    if found.get("schema") != SCHEMA:
        raise DeviceError(
            f"the compiled kernels in {FOLDER} are of schema {found.get('schema')}, this package reads {SCHEMA}: "
            "run python -m varkernels.cuda.build"
        )
    return found


@cache
def entries() -> dict[str, dict[str, Any]]:
    """The manifest's kernels by name."""
    return {entry["name"]: entry for entry in manifest()["kernels"]}


@cache
def file_texts(name: str) -> tuple[str, dict[str, str]]:
    """The head of a file of ptx/, and its kernels' texts by their entries.

    Raises
    ------
    DeviceError
        It cannot be read.
    """
    path = FOLDER / name
    try:
        head, *parts = path.read_text(encoding="utf-8").split(MARK)
    except OSError as problem:
        raise DeviceError(
            f"the compiled kernels {path} cannot be read ({problem.strerror}): run python -m varkernels.cuda.build"
        ) from None
    return head, {name: body for name, _, body in (part.partition("\n") for part in parts)}


@cache
def text(name: str, target: str = TARGETS[0]) -> str:
    """The PTX of one kernel, a module by itself.

    Parameters
    ----------
    name : a name in `catalogue.kernels`.
    target : ``sm_80`` or ``sm_90``; their texts differ in this word only, as the build verifies.

    Raises
    ------
    DeviceError
        The file is missing, or its text is not the one that the manifest names.
    """
    found = entries().get(name)
    if found is None or target not in TARGETS:
        raise DeviceError(
            f"no kernel {name!r} for {target} is among the compiled ones: run python -m varkernels.cuda.build"
        )
    head, body = checked_text(found)
    return head.replace(f".target {TARGETS[0]}", f".target {target}") + body


def for_driver(name: str) -> str:
    """The PTX of one kernel as a driver gets it: for any GPU from sm_75, and any driver from CUDA 11.0 on.

    Raises
    ------
    DeviceError
        As `text`.
    """
    version, target = _FOR_DRIVERS
    given = re.sub(r"^\.version .*$", f".version {version}", text(name), count=1, flags=re.MULTILINE)
    return re.sub(r"^\.target .*$", f".target {target}", given, count=1, flags=re.MULTILINE)


def checked_text(kernel: Mapping[str, Any]) -> tuple[str, str]:
    """The head and the text of a kernel, given its entry in the manifest.

    Raises
    ------
    DeviceError
        The file cannot be read, or its text is not the one that the manifest names.
    """
    head, texts = file_texts(kernel["file"])
    body = texts.get(kernel["entry"], "")
    if digest(body) != kernel["sha256"]:
        raise DeviceError(
            f"kernel {kernel['name']!r} in {FOLDER / kernel['file']} is not the text that the manifest names: "
            "run python -m varkernels.cuda.build"
        )
    return head, body


def entry(name: str) -> str:
    """What the kernel of that name is called in its PTX."""
    return str(entries()[name]["entry"])


def stale(formulas: dict[str, Any]) -> list[str]:
    """The names of kernels that are missing, no longer wanted, or whose sources have changed since they were compiled.

    formulas : the formula of each kernel that there should be, by the kernel's name.
    """
    have, sources = entries(), manifest()["sources"]
    changed = {f.name for f in set(formulas.values()) if sources.get(f.name) != source_hash(f)}
    return [name for name in formulas if name not in have or formulas[name].name in changed] + [
        name for name in have if name not in formulas
    ]

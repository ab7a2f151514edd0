"""A set on disk: manifest.json, cases.txt and one binary file for each norm, direction and dtype."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from varkernels.atomic import write_whole

from .cases import BACKWARD, DTYPES, NORMS, Case, cases_of
from .manifest import CONVENTIONS, SCHEMA, VERSION, case_of, described, index_lines

__all__ = ["SMALL", "export", "opened", "read_cases", "write_index"]

# The committed set.
SMALL = Path(__file__).with_name("small")


def export(
    folder: Path,
    *,
    norms: tuple[str, ...] = NORMS,
    dtypes: tuple[str, ...] = (),
    profile: str = "single",
    full: bool = False,
    progress: Any = None,
) -> dict[str, Any]:
    """Write a set of cases, and answer its manifest.

    Parameters
    ----------
    folder : made where it does not exist. norms : of `NORMS`. dtypes : all of the norm by default.
    profile : whose limits. full : more and longer rows. progress : called with the name of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    sums: dict[str, str] = {}
    for norm in norms:
        for backward in (False, True)[: 1 + (norm in BACKWARD)]:
            for dtype in DTYPES[norm]:
                if dtypes and dtype not in dtypes:
                    continue
                memory = bytearray()
                name = f"{norm}{'-backward' if backward else ''}.{dtype}.bin"
                made = cases_of(norm, dtype, backward=backward, full=full, profile=profile)
                entries += [described(case, name, memory) for case in made]
                sums[name] = hashlib.sha256(memory).hexdigest()
                write_whole(folder / name, bytes(memory))
                if progress is not None:
                    progress(name)
    found = {
        "schema": SCHEMA, "version": VERSION, "size": "full" if full else "small", "profile": profile,
        "conventions": CONVENTIONS, "files": sums, "cases": entries,
    }  # fmt: skip
    write_whole(folder / "manifest.json", _text(found).encode())
    return found


def write_index(folder: Path) -> None:
    """Write cases.txt, the manifest's arrays as lines of words, for languages without JSON."""
    lines = index_lines(opened(folder)["cases"])
    write_whole(folder / "cases.txt", ("\n".join(lines) + "\n").encode())


def _text(found: dict[str, Any]) -> str:
    """JSON with one case a line, so that a difference shows which case changed."""
    head = {name: each for name, each in found.items() if name != "cases"}
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in found["cases"])
    return json.dumps(head, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n]}\n"


def opened(folder: Path = SMALL) -> dict[str, Any]:
    """The manifest of a set.

    Raises
    ------
    ValueError
        There is none, or it is of another schema.
    """
    path = folder / "manifest.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        schema = found["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no manifest of test vectors ({error}): write one with varstudy vectors export"
        ) from None
    if schema != SCHEMA:
        raise ValueError(f"{path} has the schema {schema!r}, and this version reads {SCHEMA!r}: export the set again")
    return found


def read_cases(
    folder: Path = SMALL, *, norm: str = "", dtype: str = "", backward: bool | None = None
) -> Iterator[Case]:
    """The cases of a set, of one norm, dtype and direction where these are given.

    Raises
    ------
    ValueError
        The manifest is not readable, or a file differs from its SHA-256.
    """
    found = opened(folder)
    memories: dict[str, bytes] = {}
    for entry in found.get("cases", ()):
        try:
            apart = (norm and entry["norm"] != norm) or (dtype and entry["dtype"] != dtype)
            if apart or (backward is not None and (entry["direction"] == "backward") != backward):
                continue
            file = Path(entry["file"]).name
            if file not in memories:
                memories[file] = _checked(folder / file, found["files"][file])
            case = case_of(entry, memories[file])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, _SetProblem):
                raise
            raise ValueError(f"{folder / 'manifest.json'} was edited ({error}): export the set again") from error
        yield case


class _SetProblem(ValueError):
    """A file of a set that is not what was written."""


def _checked(file: Path, digest: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _SetProblem(f"{file}: {error.strerror}; export the set again") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise _SetProblem(f"{file} differs from its SHA-256 in the manifest: export the set again")
    return data

"""JSON files of measurements: a head that says what they are, then rows of one dataclass, one a line.

Written whole or not at all, and read with care: what is cut, edited, or another program's is refused in one sentence.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from .atomic import write_whole

__all__ = ["Cells", "RecordFile", "digest", "encode"]


def encode(value: Any) -> Any:
    """A cell for JSON, which has no NaN and no infinity: those are written as the strings nan, inf and -inf."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a content without its own digest, in hexadecimal digits."""
    body = {k: v for k, v in content.items() if k != "digest"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Cells:
    """What a row has for its file; a row is a dataclass of str, int, float, bool and list[int]."""

    def record(self) -> dict[str, Any]:
        """The row for JSON: NaN and infinities as the strings nan, inf, -inf."""
        return {each.name: encode(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]


R = TypeVar("R", bound=Cells)


@dataclass(frozen=True)
class RecordFile(Generic[R]):
    """A kind of file.

    Attributes
    ----------
    name : the file's. format, version : what its head says. noun : what it is, for sentences.
    command : what makes it. row : the dataclass of its rows. parts : the other keys that it must have, and their types.
    problem : what is raised where it cannot be read. sealed : whether it carries a digest, which tells edits.
    """

    name: str
    format: str
    version: int
    noun: str
    command: str
    row: type[R]
    parts: Mapping[str, type]
    problem: type[ValueError]
    sealed: bool = False

    def rows(self, content: Mapping[str, Any]) -> list[R]:
        """The table of a content that was read.

        Parameters
        ----------
        content : what `read` gives: a mapping with the list ``rows``.

        Raises
        ------
        ValueError
            A row has other columns, or values of another kind.
        """
        return [self._row(given) for given in content["rows"]]

    def _row(self, given: Mapping[str, Any]) -> R:
        names = {each.name: str(each.type) for each in fields(self.row)}  # type: ignore[arg-type]
        if set(given) != set(names):
            raise ValueError(f"its columns are not {', '.join(names)}")
        return self.row(**{name: _cell(name, kind, given[name]) for name, kind in names.items()})

    def write(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a content, whole or not at all.

        Parameters
        ----------
        path : the file; its folder must be there.
        content : the list ``rows``, each row as its ``record()``, and the other parts that this kind of file has.

        Raises
        ------
        OSError
            It cannot be written; what was there is left as it was.
        ValueError
            A number in it is NaN or infinite, for which JSON has no word.
        """
        whole = {"format": self.format, "version": self.version, **content}
        if self.sealed:
            whole["digest"] = digest(whole)
        text = json.dumps({k: v for k, v in whole.items() if k != "rows"}, indent=1, allow_nan=False)
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in content["rows"])
        write_whole(path, (text[:-2] + ',\n "rows": [\n' + lines + "\n ]\n}\n").encode())

    def read(self, path: str | Path) -> dict[str, Any]:
        """The content of a file, or of the one in a folder; its rows are fit for `rows`.

        Parameters
        ----------
        path : the file, or the folder that holds one of this kind's name.

        Raises
        ------
        FileNotFoundError
            There is none.
        ValueError
            It cannot be read, is none of this version, or was edited or cut: the module's own error, which is one.
        """
        file = Path(path)
        if file.is_dir():
            file = file / self.name
        again = f"make it again with '{self.command}'"
        try:
            content = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise self.problem(f"{file.name} cannot be read ({error}): {again}") from error
        if not isinstance(content, dict) or content.get("format") != self.format:
            raise self.problem(f"{file.name} is no {self.noun} of varstudy: {again}")
        if content.get("version") != self.version:
            raise self.problem(
                f"{file.name} has schema version {content.get('version')!r}, this program reads {self.version}: {again}"
            )
        try:
            for key, kind in self.parts.items():
                if not isinstance(content[key], kind):
                    raise ValueError(f"{key} is no {kind.__name__}")
            if self.sealed and content["digest"] != digest(content):
                raise ValueError("its digest is another's")
            self.rows(content)
        except (KeyError, TypeError, ValueError) as error:
            raise self.problem(f"{file.name} was edited or cut ({error}): {again}") from error
        return content


def _cell(name: str, kind: str, value: Any) -> Any:
    if kind == "float":
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (numeric or value in ("nan", "inf", "-inf")):
            raise ValueError(f"{name} is {value!r}, which is no number")
        return float(value)
    if kind == "list[int]":
        if not isinstance(value, list) or not all(type(n) is int and n > 0 for n in value):
            raise ValueError(f"{name} is {value!r}, which is no shape")
    elif type(value).__name__ != kind:
        raise ValueError(f"{name} is {value!r}, which is no {kind}")
    return value

"""JSON files of measurements: a head that says what they are, a digest, and rows, one a line.

They are written whole or not at all, and read with care. A file that was cut, edited, is too large or belongs to
another program is refused in one sentence, by the error of the module that reads it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from .atomic import write_whole

__all__ = ["Cells", "FileKind", "RecordFile", "check_integer", "digest", "encode", "load_json", "number", "shorten"]

# A full study's table takes a fifth of it.
MOST_BYTES = 1 << 28


def encode(value: Any) -> Any:
    """A cell for JSON, which has no NaN and no infinity: those are written as the strings nan, inf and -inf.

    A member of an enum of strings becomes its string.
    """
    if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a content without its own digest, in hexadecimal digits.

    Raises
    ------
    ValueError
        A number in it is NaN or infinite.
    """
    body = {k: v for k, v in content.items() if k != "digest"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def shorten(value: object) -> str:
    """A value for a sentence: at most 60 characters of it."""
    if isinstance(value, (dict, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        value = value[:80]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_integer(name: str, value: object) -> None:
    """Refuse what is not a whole number of 64 bits.

    Raises
    ------
    ValueError
        The value is of another kind, or does not fit.
    """
    if type(value) is not int:
        raise ValueError(f"{name} is {shorten(value)}, which is not a whole number")
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{name} does not fit in 64 bits")


def load_json(data: bytes) -> Any:
    """The value of a JSON document: strict UTF-8, without the words NaN and Infinity.

    Raises
    ------
    ValueError
        It is no JSON, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


@dataclass(frozen=True)
class FileKind:
    """A kind of JSON file: a head, rows, and a digest of both where a program writes it.

    Attributes
    ----------
    format, version : what its head says. noun : what it is, for sentences.
    again : what to do where it cannot be read, for the end of a sentence.
    parts : the keys that it must have besides ``rows``, which is a list, and their types.
    problem : the error that is raised where the file cannot be read.
    sealed : whether it carries a digest, by which an edited file is known; False for a file that people edit.
    """

    format: str
    version: int
    noun: str
    again: str
    parts: Mapping[str, type]
    problem: type[ValueError]
    sealed: bool = True

    def text(self, content: Mapping[str, Any]) -> str:
        """The file of a content, which has the parts and ``rows``; each row takes one line.

        Raises
        ------
        ValueError
            A number in it is NaN or infinite, for which JSON has no word.
        """
        whole = {"format": self.format, "version": self.version, **content}
        if self.sealed:
            whole["digest"] = digest(whole)
        text = json.dumps({k: v for k, v in whole.items() if k != "rows"}, indent=1, allow_nan=False)
        lines = ",\n".join(map(json.JSONEncoder(allow_nan=False).encode, content["rows"]))
        return text[:-2] + ',\n "rows": [\n' + lines + "\n ]\n}\n"

    def read(self, file: Path, shown: str = "") -> dict[str, Any]:
        """The content of a file, whose rows are a list of anything.

        Parameters
        ----------
        file : the file. shown : its name in sentences.

        Raises
        ------
        FileNotFoundError
            There is none.
        ValueError
            It is unreadable, too large, has another version, or was modified: of the class `problem`.
        """
        shown = shown or file.name
        try:
            with file.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES} bytes")
            content = load_json(data)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self.problem(f"{shown} cannot be read ({reason}): {self.again}") from error
        if not isinstance(content, dict) or content.get("format") != self.format:
            raise self.problem(f"{shown} is no {self.noun} of varstudy: {self.again}")
        if content.get("version") != self.version:
            raise self.problem(
                f"{shown} has schema version {shorten(content.get('version'))}, this program reads {self.version}: "
                f"{self.again}"
            )
        try:
            for key, kind in {**self.parts, "rows": list}.items():
                if not isinstance(content.get(key), kind):
                    raise ValueError(f"{key} is no {kind.__name__}")
            if self.sealed and content.get("digest") != digest(content):
                raise ValueError("its digest is another's")
        except (TypeError, ValueError, RecursionError) as error:
            raise self.edited(shown, error) from error
        return content

    def edited(self, shown: str, error: Exception) -> ValueError:
        """The problem of a file whose content is not what was written.

        Parameters
        ----------
        shown : the file's name. error : what was found in it.
        """
        reason = "its brackets are nested too deeply" if isinstance(error, RecursionError) else str(error)
        return self.problem(f"{shown} was edited or cut ({reason}): {self.again}")


class Cells:
    """What a row has for its file; a row is a dataclass of str, int, float, bool and list[int]."""

    def record(self) -> dict[str, Any]:
        """The row for JSON: NaN and infinities as the strings nan, inf, -inf."""
        return {each.name: encode(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]


R = TypeVar("R", bound=Cells)


@dataclass(frozen=True)
class RecordFile(FileKind, Generic[R]):
    """A kind of JSON file whose rows are records.

    Attributes
    ----------
    name : the file's. row : the dataclass of its rows.
    tables : other parts that are lists of records, by their keys, with their dataclasses.
    """

    name: str = field(kw_only=True)
    row: type[R] = field(kw_only=True)
    tables: Mapping[str, type[Cells]] = field(kw_only=True, default_factory=dict)

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
        return _records(content["rows"], self.row)

    def table(self, content: Mapping[str, Any], key: str) -> list[Any]:
        """Another table of a content that was read, one of `tables`.

        Raises
        ------
        ValueError
            A record has other columns, or values of another kind.
        """
        return _records(content[key], self.tables[key])

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
        write_whole(path, self.text(content).encode())

    def read(self, file: str | Path, shown: str = "") -> dict[str, Any]:
        """The content of a file, or of the one in a folder; its rows are fit for `rows`, its tables for `table`.

        Parameters
        ----------
        file : the file, or the folder that holds one of this kind's name. shown : its name in sentences.

        Raises
        ------
        FileNotFoundError
            There is none.
        ValueError
            The file is unreadable, too large, has another version, or was modified: of the class `problem`.
        """
        file = Path(file)
        if file.is_dir():
            file = file / self.name
        content = super().read(file, shown)
        try:
            self.rows(content)
            for key in self.tables:
                self.table(content, key)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise self.edited(shown or file.name, error) from error
        return content


def _records(given: Sequence[Mapping[str, Any]], row: type[R]) -> list[R]:
    names = {each.name: str(each.type) for each in fields(row)}  # type: ignore[arg-type]
    return [_record(each, row, names) for each in given]


def _record(given: Mapping[str, Any], row: type[R], names: Mapping[str, str]) -> R:
    if given.keys() != names.keys():
        raise ValueError(f"its columns are not {', '.join(names)}")
    # Most cells are strings, and these files have a hundred thousand.
    return row(
        **{
            name: value if kind == "str" and type(value := given[name]) is str else _cell(name, kind, given[name])
            for name, kind in names.items()
        }
    )


def _cell(name: str, kind: str, value: Any) -> Any:
    if kind == "float":
        return number(name, value)
    if kind == "int":
        check_integer(name, value)
    elif kind == "list[int]":
        if not isinstance(value, list) or not all(type(n) is int and 0 < n < 1 << 63 for n in value):
            raise ValueError(f"{name} is {shorten(value)}, which is no shape")
    elif type(value).__name__ != kind:
        raise ValueError(f"{name} is {shorten(value)}, which is no {kind}")
    return value


def number(name: str, value: object) -> float:
    """A cell of a file as float64: a number, or one of the strings nan, inf and -inf.

    Raises
    ------
    ValueError
        The value is of another kind, or beyond float64's range.
    """
    if value in ("nan", "inf", "-inf"):
        return float(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {shorten(value)}, which is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{name} is beyond the range of float64")
    return found

"""league.json: how each function did on each case, what it is, and who measured it where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from varkernels.enums import StrEnum
from varkernels.formats import FLOAT64, FORMATS

from ..._io import provenance
from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once
from ...study.score import Status, shown_digits, status_of

__all__ = [
    "COMMITTED",
    "NAME",
    "NAMED",
    "OURS",
    "CaseResult",
    "LeagueFact",
    "LeagueFile",
    "LeagueProblem",
    "LeagueRow",
    "LeagueStatus",
    "Scored",
    "committed",
    "facts",
    "number",
    "read",
    "results",
    "rows",
    "write",
]

NAME = "league.json"
COMMITTED = Path(__file__).parent.parent / "data" / NAME
# So many of the candidates that tie are named.
NAMED = 8
# The library of our own algorithms' rows.
OURS = "varstudy"

F = TypeVar("F", bound=Cells)


class LeagueProblem(ValueError):
    """A league that cannot be read: one sentence that says what to do."""


@dataclass
class LeagueRow(Cells):
    """One function, or one of our algorithms in one accumulator, on the rows of one storage format.

    Attributes
    ----------
    function, library : their names; of one of our algorithms, ``chan in float32`` and its like, and `OURS`.
    environment : the name of the pinned one that it belongs to, empty for ours. version : the library's.
    storage : the format of the rows.
    threads : ``1``, ``2``, or ``1 and 2`` where both give the same bits.
    correction : its answers are M2 / (n - correction). answers_in : the format of its answers.
    refused : what it raised for every row; then nothing below is measured.
    cases, rows : scored, those whose exact variance is in the storage format's range. wrong : cases whose worst row is
        negative, or raised. beyond_half_ulp : rows off by more than half an ulp of the storage format.
    digits_median : lower median over the cases of the worst row's digits. error_worst, ulps_worst : of all rows.
    negative, nan, infinite, raised : rows that came out so. missed : rows with a NaN or an infinity in the data that
        got a finite answer. failure : what was raised most often.
    equal : candidates that have all its bits, joined by ``; ``, the first `NAMED` of equal_count. equal_up_to : 0, or
        the length of rows up to which they have. equal_rows : of how many rows.
    worst, median : relative errors of each case's worst and median row, in the order of the head's cases of this
        storage format: two digits; ``=`` exact, ``.`` not tried, ``-`` nothing to score, ``inf``.
    marks : cases with answers that are none: ``index:kind count``, kinds neg, nan, inf and raised, joined by ``;``.
    """

    function: str
    library: str
    environment: str
    version: str
    storage: str
    threads: str
    correction: int
    answers_in: str = ""
    refused: str = ""
    cases: int = 0
    rows: int = 0
    wrong: int = 0
    beyond_half_ulp: int = 0
    digits_median: float = math.nan
    error_worst: float = math.nan
    ulps_worst: float = math.nan
    negative: int = 0
    nan: int = 0
    infinite: int = 0
    raised: int = 0
    missed: int = 0
    failure: str = ""
    equal: str = ""
    equal_count: int = 0
    equal_up_to: int = 0
    equal_rows: int = 0
    worst: str = ""
    median: str = ""
    marks: str = ""


class LeagueStatus(StrEnum):
    """Whether a function or a layer was measured; a reason stands with the other two."""

    MEASURED = "measured"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass
class LeagueFact(Cells):
    """One function: what it is, and what it answers where the textbooks differ.

    Attributes
    ----------
    function, library, environment : as of a `LeagueRow`. note : how it is called, where that is not plain.
    status : a `LeagueStatus`; reason says why. All below are of measured ones.
    version : of the library and what it builds on, each with its name. python : of the interpreter.
    date, machine : when, in UTC, as ``2026-08-31``, and the CPU's model.
    default_correction : 0, 1, ``none``, or what is known instead. choices : corrections that it can be asked for.
    one_value, empty, with_nan : its answers, by default, for one value, for none, and for values of which one is NaN.
    at_correction : its answer where n equals the correction: one value, correction 1.
    repeated : ``same bits``, or in how many rows a second run differs. threads_alike : the same of two threads.
    max_length : it gets no longer rows.
    """

    function: str
    library: str
    environment: str
    status: str
    reason: str = ""
    note: str = ""
    version: str = ""
    python: str = ""
    date: str = ""
    machine: str = ""
    default_correction: str = ""
    choices: str = ""
    one_value: str = ""
    at_correction: str = ""
    empty: str = ""
    with_nan: str = ""
    repeated: str = ""
    threads_alike: str = ""
    max_length: int = 0


class CaseResult(NamedTuple):
    """One function on one case: relative errors of the worst and the median row, and answers that are none."""

    case: str
    group: str
    length: int
    tried: bool
    scored: bool
    worst: float
    median: float
    marks: str
    storage: str

    @property
    def digits(self) -> float:
        """Correct digits of the worst row, from 0 to what the storage format holds; NaN: nothing was scored."""
        return _digits(self.worst, self.storage)

    @property
    def wrong(self) -> bool:
        """Whether the worst row is wrong, as `varstudy.study.score` has it, or the function raised."""
        return status_of(self.worst, FORMATS.get(self.storage, FLOAT64)) is Status.WRONG or "raised" in self.marks


@lru_cache(4096)  # errors of two digits: most are those of many other cases
def _digits(error: float, storage: str) -> float:
    return float(shown_digits(error, FORMATS.get(storage, FLOAT64)))


def shown(error: float) -> str:
    """A relative error for `worst` and `median`."""
    if error == 0:
        return "="
    if math.isnan(error):
        return "-"
    if math.isinf(error):
        return "inf"
    mantissa, _, exponent = f"{error:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


_SIGNS = {"=": 0.0, "-": math.nan, ".": math.nan}


def number(text: str) -> float:
    """The error that `shown` gave; NaN for what has none."""
    return _SIGNS[text] if text in "=-." else float(text)


def results(row: LeagueRow, content: Mapping[str, Any]) -> list[CaseResult]:
    """A row's results, one a case of its storage format; none where it refused the format.

    Raises
    ------
    ValueError
        There are more or fewer than cases.
    """
    if row.refused:
        return []
    cases = content["cases"][row.storage]
    worst = row.worst.split()
    median = row.median.split() if row.median else ["-"] * len(worst)
    if not len(worst) == len(median) == len(cases):
        raise ValueError(f"{row.function}: {len(worst)} results for {len(cases)} cases of {row.storage}")
    marks = dict(each.split(":", 1) for each in row.marks.split(";")) if row.marks else {}
    return [
        CaseResult(
            case["case"], case["group"], int(case["values"]), w != ".", w not in ".-", number(w), number(m),
            marks.get(str(k), ""), row.storage,
        )
        for k, (case, w, m) in enumerate(zip(cases, worst, median, strict=True))
    ]  # fmt: skip


class LeagueFile(Generic[F]):
    """A kind of file: scored rows, and a fact on each of what was scored.

    Parameters
    ----------
    name, format, noun, command : as of `RecordFile`, as are `rows` and `write`. fact : the dataclass of its facts.
    """

    def __init__(self, name: str, format: str, noun: str, command: str, fact: type[F]) -> None:
        parts = {"settings": dict, "cases": dict, "facts": list, "provenance": dict}
        again = f"make it again with '{command}'"
        self._file = RecordFile(
            format, 1, noun, again, parts, LeagueProblem, name=name, row=LeagueRow, tables={"facts": fact}
        )
        self.rows, self.write = self._file.rows, self._file.write

    def facts(self, content: Mapping[str, Any]) -> list[F]:
        """What each function or layer is."""
        return self._file.table(content, "facts")

    def read(self, path: str | Path) -> dict[str, Any]:
        """The content of a file or of the one in a folder.

        Parameters
        ----------
        path : the file, or the folder that holds one of this kind's name.

        Raises
        ------
        FileNotFoundError
            There is none.
        LeagueProblem
            It cannot be read, or is none of this version.
        """
        content = self._file.read(path)
        try:
            for row in self.rows(content):
                results(row, content)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise self._file.edited(Path(path).name, error) from error
        return content


@dataclass
class Scored(Generic[F]):
    """What is measured, ready for `write`.

    Attributes
    ----------
    rows : how each function or layer, and each of our algorithms, did on each storage format. facts : one for each.
    cases : by storage format, what each result of a row's `worst` is of.
    settings : what was asked for; whoever has it measured completes them.
    """

    rows: list[LeagueRow] = field(default_factory=list)
    facts: list[F] = field(default_factory=list)
    cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def content(self, argv: Sequence[str] | None = None) -> dict[str, Any]:
        """All of it for the file, with where it comes from.

        Parameters
        ----------
        argv : the command line to record; this process's own where it is None.
        """
        made = provenance.collect(argv)
        about = {key: made[key] for key in ("made", "command", "versions")}
        cpu = {key: made["cpu"][key] for key in ("model", "cores", "machine")}
        return {
            "settings": self.settings,
            "provenance": {**about, "cpu": cpu},
            "cases": self.cases,
            "facts": [each.record() for each in self.facts],
            "rows": [each.record() for each in self.rows],
        }


_LEAGUE = LeagueFile(NAME, "varstudy-league", "league", "python -m varstudy libraries", LeagueFact)
read, rows, facts, write = _LEAGUE.read, _LEAGUE.rows, _LEAGUE.facts, _LEAGUE.write
_read_once = once(_LEAGUE.read)


def committed() -> dict[str, Any]:
    """The league that comes with the package. Nobody changes it.

    Raises
    ------
    FileNotFoundError
        The package has none.
    LeagueProblem
        It cannot be read.
    """
    return _read_once(COMMITTED)

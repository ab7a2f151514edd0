"""How each algorithm does on the maps of a study, in short: its fewest correct digits by length of row, and where.

`committed` is that of the default study, with rows of up to 2^26 values for the narrow formats in float32. Made by
``python -m varstudy.study.population RESULTS``, which reads the results of a default study, and by
``python -m varstudy.study.population --long-rows``, which measures the rest.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from varkernels import algorithms
from varkernels.formats import FORMATS

from .._io import provenance
from .._io.atomic import remove_unfinished, write_whole
from .._io.record_file import encode
from . import featuremaps, results
from .measuring import moments_of, reduction
from .score import Status, Tally, judge

__all__ = ["LENGTHS", "Key", "Measurement", "Population", "Worst", "committed", "grown", "measurements", "summarise"]

# Rows of up to so many values have a recommendation of their own. The maps of the first hold the whole sweep of
# condition numbers.
LENGTHS = (1 << 12, 1 << 17, 1 << 20, 1 << 26)
# The maps that ask how the error grows with the length have names that start so.
GROWTH = "growth/"
COMMITTED = Path(__file__).with_name("population.json")
GROWN = Path(__file__).with_name("growth.json")


@dataclass(frozen=True)
class Measurement:
    """One algorithm on one map.

    Attributes
    ----------
    case : the map's name. algorithm, storage, accumulator : of the measurement.
    values : in each row.
    error : the worst relative error of the rows that have an exact variance; inf where an answer is none.
    kappa : the largest condition number; inf for a constant row.
    tally : how many rows have each status.
    squares_overflow : rows in range whose sum of squared deviations is beyond the accumulator.
    negative : variances below zero.
    """

    case: str
    algorithm: str
    storage: str
    accumulator: str
    values: int
    error: float
    kappa: float
    tally: Tally
    squares_overflow: int = 0
    negative: int = 0

    @property
    def in_range(self) -> bool:
        """Whether every exact variance, and the sum of squares that it comes from, fits the accumulator."""
        return bool(self.tally.judged) and not self.tally.out_of_range and not self.squares_overflow

    @property
    def posed(self) -> bool:
        """Whether the data determine the variance: kappa u < 1, u the unit roundoff of the storage format."""
        return self.kappa * float(FORMATS[self.storage].unit_roundoff) < 1


Key = tuple[str, str, int, str]
"""Storage, accumulator, the longest rows (of `LENGTHS`), algorithm."""


@dataclass(frozen=True)
class Worst:
    """An algorithm's worst map among the well-posed ones in range, for rows of up to some length.

    Attributes
    ----------
    error : the largest relative error; case, values : the map where, and the length of its rows.
    maps : how many there are. longest : the longest rows among them.
    grown : the longest rows of a map of the group growth that it answers right; 0: there is none.
    negative : a map, constant ones among them, on which a variance comes out negative; empty where there is none.
    """

    error: float = -1.0
    case: str = ""
    values: int = 0
    maps: int = 0
    longest: int = 0
    grown: int = 0
    negative: str = ""

    def joined(self, other: Worst) -> Worst:
        """Of the maps of both."""
        worse = other if other.error > self.error else self
        return Worst(
            worse.error,
            worse.case,
            worse.values,
            self.maps + other.maps,
            max(self.longest, other.longest),
            max(self.grown, other.grown),
            self.negative or other.negative,
        )


@dataclass(frozen=True)
class Population:
    """`Worst` by `Key`, and where it comes from."""

    worst: Mapping[Key, Worst]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def joined(self, other: Population) -> Population:
        """The maps of both; the provenance of the first."""
        found = dict(self.worst)
        for key, worst in other.worst.items():
            found[key] = found[key].joined(worst) if key in found else worst
        return Population(found, self.provenance)

    def only(self, pairs: Iterable[tuple[str, str]]) -> Population:
        """The part with these storages and accumulators."""
        wanted = set(pairs)
        return Population({key: worst for key, worst in self.worst.items() if key[:2] in wanted}, self.provenance)

    def pairs(self) -> list[tuple[str, str]]:
        """Storages and accumulators, the narrow ones first."""
        known = list(FORMATS)
        found = {(storage, accumulator) for storage, accumulator, _, _ in self.worst}
        return sorted(found, key=lambda pair: (known.index(pair[0]), known.index(pair[1])))

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        rows = [[*key, *map(encode, asdict(worst).values())] for key, worst in sorted(self.worst.items())]
        return {"provenance": dict(self.provenance), "rows": rows}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Population:
        """The inverse of `record`."""
        return cls({tuple(row[:4]): Worst(float(row[4]), *row[5:]) for row in record["rows"]}, record["provenance"])


def summarise(found: Iterable[Measurement], provenance: Mapping[str, Any] | None = None) -> Population:
    """The population of some measurements.

    A map counts where it is well posed and in range, and for each length of `LENGTHS` that its rows do not exceed.
    """
    worst: dict[Key, Worst] = {}
    for each in found:
        if not each.in_range:
            continue
        negative = each.case if each.negative else ""
        one = Worst(negative=negative)
        if each.posed:
            error = math.inf if math.isnan(each.error) else each.error
            grown = each.values if each.case.startswith(GROWTH) and each.tally.status is Status.RIGHT else 0
            one = Worst(error, each.case, each.values, 1, each.values, grown, negative)
        for limit in LENGTHS:
            if each.values <= limit:
                key = (each.storage, each.accumulator, limit, each.algorithm)
                worst[key] = worst[key].joined(one) if key in worst else one
    return Population(worst, provenance or {})


def measurements(found: results.Results, device: str = "cpu") -> Iterable[Measurement]:
    """The measurements of a results table on one device."""
    frame = found.frame[found.frame["device"] == device]
    names = (
        "case", "algorithm", "storage", "accumulator", "values", "var_error_worst", "kappa_worst", "rows_right",
        "rows_inaccurate", "rows_wrong", "rows_out_of_range", "rows_undefined", "rows_nonfinite", "nonfinite_missed",
        "rows_squares_overflow", "var_negative",
    )  # fmt: skip
    for row in zip(*(frame[name].tolist() for name in names), strict=True):
        if row[2] not in FORMATS or row[3] not in FORMATS:
            continue
        first, counts, last = row[:7], row[7:14], row[14:]
        yield Measurement(*[*first, Tally(*counts), *last])


@cache
def grown() -> Population:
    """Rows of 2^20 to 2^26 values in float16 and bfloat16, accumulated in float32: measured once, and committed."""
    return _read(GROWN)


@cache
def committed() -> Population:
    """The default study's maps, with those of `grown`."""
    return _read(COMMITTED).joined(grown())


def _read(path: Path) -> Population:
    return Population.of_record(json.loads(path.read_text("utf-8")))


def write(population: Population, path: Path) -> None:
    """Write a population whole, one row a line."""
    record = population.record()
    rows = ",\n".join(json.dumps(row, allow_nan=False) for row in record["rows"])
    remove_unfinished(path.parent)
    head = json.dumps({"provenance": record["provenance"]}, indent=1)
    write_whole(path, f'{head[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'.encode())


def _long_rows() -> Iterable[Measurement]:
    """The long rows of the level full in float16 and bfloat16, by every algorithm in float32."""
    fmt = FORMATS["float32"]
    for case in (each for each in featuremaps.cases("full") if each.name.startswith(GROWTH)):
        for storage in ("float16", "bfloat16"):
            if storage not in case.storages or not LENGTHS[-2] < case.elements <= LENGTHS[-1]:
                continue
            reduced = reduction(
                case.make(storage, 0),
                "flat",
                layout=case.layout,
                groups=None,
                corrections=(0.0,),
                accumulators=(fmt.name,),
            )
            exact = reduced.variance[0.0]
            for algorithm in (each for each in algorithms().values() if each.builtin and fmt.name in each.accumulators):
                variance = moments_of(reduced, algorithm, fmt)[1][0.0]
                found = judge(exact, variance, FORMATS[storage], fmt)
                yield Measurement(
                    case.name, algorithm.name, storage, fmt.name, case.elements, float(abs(found.errors[0])),
                    float(reduced.truth.kappa[0]), found.tally, exact.squares_overflow(fmt), int(variance[0] < 0),
                )  # fmt: skip


def _main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("varstudy: give the folder of a default study's results, or --long-rows")
    # A folder by its name alone: where it lies says nothing to others.
    about = provenance.collect(["python", "-m", "varstudy.study.population", Path(arguments[0]).name])
    kept = {key: about[key] for key in ("made", "command", "versions")}
    if arguments == ["--long-rows"]:
        write(summarise(_long_rows(), kept), GROWN)
        return
    found = results.read(arguments[0])
    write(summarise(measurements(found), {**kept, "settings": dict(found.settings)}), COMMITTED)


if __name__ == "__main__":
    _main(sys.argv[1:])

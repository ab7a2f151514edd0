"""census.json: the norm layers of nine networks on a few inputs each, and what replacing them does to two outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once

__all__ = [
    "COMMITTED",
    "NAME",
    "CensusEffect",
    "CensusFact",
    "CensusLayer",
    "CensusProblem",
    "committed",
    "digits",
    "effects",
    "facts",
    "layer_of",
    "read",
    "rows",
    "write",
]

NAME = "census.json"
COMMITTED = Path(__file__).with_name(NAME)
# Of a layer's record.
FIGURES = (
    "kappa_worst", "kappa_median", "largest", "largest_sum", "largest_sum_of_squares", "largest_m2", "peak",
    "largest_output", "runtime",
)  # fmt: skip
COMMAND = "python -m varstudy.networks.census.commit"


class CensusProblem(ValueError):
    """A census that cannot be read: one sentence that says what to do."""


@dataclass
class CensusLayer(Cells):
    """One norm layer, as `varstudy audit` sees it; the attributes are those of its record.

    Attributes
    ----------
    net : the network. float16, bfloat16 : the surest risk in a format, and how sure; empty where there is none.
    """

    net: str
    name: str
    kind: str
    formula: str
    epsilon: float
    rows: int
    values: int
    kappa_worst: float
    kappa_median: float
    largest: float
    largest_sum: float
    largest_sum_of_squares: float
    largest_m2: float
    least_variance: float
    peak: float
    largest_output: float
    runtime: float
    float16: str = ""
    bfloat16: str = ""


@dataclass
class CensusFact(Cells):
    """One network.

    Attributes
    ----------
    net, title, package, version, inputs : what ran, and on what. float16, bfloat16 : the audit's verdicts.
    notes : of the audit. seconds : processor time of one audit. runtime : what ran it. date, machine : when and where.
    """

    net: str
    title: str
    package: str
    version: str
    inputs: str
    float16: str
    bfloat16: str
    notes: str
    seconds: float
    runtime: str
    date: str
    machine: str


@dataclass
class CensusEffect(Cells):
    """What one way to compute all norms does to a network's output; see `varstudy.networks.sensitivity.Effect`."""

    net: str
    format: str
    way: str
    error: float
    not_finite: int
    values: int
    outcome: str


_PARTS = {"settings": dict, "facts": list, "effects": list, "provenance": dict}
_FILE = RecordFile(
    "varstudy-census", 1, "census of networks", f"make it again with '{COMMAND}'", _PARTS, CensusProblem, name=NAME,
    row=CensusLayer, tables={"facts": CensusFact, "effects": CensusEffect},
)  # fmt: skip
rows, read, write = _FILE.rows, _FILE.read, _FILE.write


def facts(content: Mapping[str, Any]) -> list[CensusFact]:
    """One for each network of a content."""
    return _FILE.table(content, "facts")


def effects(content: Mapping[str, Any]) -> list[CensusEffect]:
    """The replaced norms of a content."""
    return _FILE.table(content, "effects")


def layer_of(net: str, record: Mapping[str, Any], risks: Mapping[str, Any]) -> CensusLayer:
    """A row of one layer's record of an audit, its numbers rounded to four digits."""
    least = record["variance"][0]
    figures: dict[str, Any] = {key: digits(record[key]) for key in FIGURES}
    given: dict[str, Any] = {key: record[key] for key in ("name", "kind", "formula", "epsilon", "rows")}
    return CensusLayer(
        net=net,
        values=max(record["values"], default=0),
        least_variance=digits(least if math.isfinite(least) else math.nan),
        **given,
        **figures,
        **risks,
    )


def digits(value: float) -> float:
    """A number to four digits."""
    return float(f"{value:.3e}")


_read_once = once(read)


def committed() -> dict[str, Any]:
    """The census that comes with the package. Nobody changes it."""
    return _read_once(COMMITTED)

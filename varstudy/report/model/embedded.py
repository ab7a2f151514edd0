"""The table inside the page: packed by columns, compressed, and small enough for one file.

Numbers keep seven significant digits, which is far finer than a screen; results.csv next to the page has them whole.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import TYPE_CHECKING, Any

from ...study.results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIGITS", "columns", "packed"]

DIGITS = 7


def _number(value: float) -> float | int | str:
    """A number for JSON, which has neither NaN nor infinities: those are words."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Each column of the results: words as numbers into their own list, numbers as they are."""
    found: dict[str, Any] = {}
    for column in COLUMNS:
        values = frame[column.name]
        if column.kind == "str":
            words = list(dict.fromkeys(map(str, values)))
            places = {word: place for place, word in enumerate(words)}
            found[column.name] = {"words": words, "at": [places[str(value)] for value in values]}
        elif column.kind == "int":
            found[column.name] = [int(value) for value in values]
        else:
            # Most numbers are in many rows.
            short = {value: _number(value) for value in set(values.tolist())}
            found[column.name] = ["nan" if math.isnan(value) else short[value] for value in values.tolist()]
    return found


def packed(frame: pd.DataFrame) -> str:
    """The columns as JSON, compressed by gzip without a date, in base64."""
    text = json.dumps(columns(frame), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()

"""The explorer: the table in the page, its menus, and the styles of the formulas.

The table is packed by columns and compressed, small enough for one file. Its numbers keep seven significant digits,
which is far finer than a screen; results.csv next to the page has them whole.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections import Counter
from typing import Any

import pandas as pd
from markupsafe import Markup

from ...study.results import COLUMNS
from ..figures.draw import STYLES
from ..model.facts import Facts

__all__ = ["DIGITS", "columns", "explorer", "packed"]

DIGITS = 7
MENUS = (
    ("x", "across"),
    ("y", "upwards"),
    ("data", "feature maps"),
    ("storage", "stored in"),
    ("acc", "accumulator"),
    ("norm", "reduction"),
    ("device", "device"),
    ("ddof", "correction"),
    ("order", "order"),
)

# For formulas that no figure draws; the shapes repeat before pairs of shape and colour do.
_SHAPES = "os^Dv*hPX"
_COLOURS = [f"c{k}" for k in range(9)]


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
        values = frame[column.name].tolist()
        if column.kind == "str":
            texts = list(map(str, values))
            places = {word: place for place, word in enumerate(dict.fromkeys(texts))}
            found[column.name] = {"words": list(places), "at": [places[text] for text in texts]}
        elif column.kind == "int":
            found[column.name] = [int(value) for value in values]
        else:
            # Most numbers are in many rows.
            short = {value: _number(value) for value in set(values)}
            found[column.name] = ["nan" if math.isnan(value) else short[value] for value in values]
    return found


def packed(frame: pd.DataFrame) -> str:
    """The columns as JSON, compressed by gzip without a date, in base64."""
    text = json.dumps(columns(frame), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def _styles(facts: Facts) -> dict[str, tuple[str, str, int]]:
    """Colour, shape and dash of each formula: the figures' own where they have one; no two share colour and dash."""
    found: dict[str, tuple[str, str, int]] = {}
    formulas = list(dict.fromkeys(map(str, facts.frame["formula"])))
    own = {formula: STYLES[formula] for formula in formulas if formula in STYLES}
    used = Counter(style.colour for style in own.values())
    for place, formula in enumerate(formulas):
        style = own.get(formula)
        if style is not None and style.marker in _SHAPES:
            found[formula] = (style.colour, style.marker, 0)
        else:
            # The colour that the fewest lines have.
            colour = min(_COLOURS, key=lambda name: used[name])
            found[formula] = (colour, _SHAPES[(place + place // 9) % len(_SHAPES)], used[colour])
            used[colour] += 1
    return found


def explorer(facts: Facts) -> dict[str, Any]:
    """The explorer's part of the page."""
    # Inside a script element nothing but its end tag is markup.
    styles = Markup(json.dumps(_styles(facts)).replace("<", "\\u003c"))
    return {
        "packed": packed(facts.frame),
        "styles": styles,
        "menus": MENUS,
        "digits": DIGITS,
    }

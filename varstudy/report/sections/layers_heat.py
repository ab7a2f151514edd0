"""Heat maps of digits as tables: the layers' on values of growing mean, and what the libraries' share of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...survey.findings.measured import FindingRow
from ..model.facts import shade
from ..model.measured_layers import Layer, LayerGroup, answer, lines
from ..rendering import sentence
from ..words import cell_digits, clean, code, listing

__all__ = ["COLUMNS", "LayersHeat", "error_cell", "heat"]

COLUMNS = tuple(f"accuracy.{mean}" for mean in ("1e4", "1e5", "1e6")) + tuple(
    f"{dtype}.{mean}" for dtype in ("float16", "bfloat16") for mean in (0, 4, 100)
)
GROUPS = (("float32", ("10⁴", "10⁵", "10⁶")), ("float16", ("0", "4", "100")), ("bfloat16", ("0", "4", "100")))


# A cell: its class and text, and the texts of other numbers of threads.
Cell = tuple[str, str, tuple[tuple[int, str], ...]]


@dataclass(frozen=True)
class LayersHeat:
    """A heat map: headings with the lines under each, a cell for each of `COLUMNS`; and what they show."""

    blocks: tuple[tuple[str, tuple[tuple[LayerGroup, tuple[Cell, ...]], ...]], ...]
    rows: int
    notes: tuple[Markup, ...] = ()
    formats: tuple[tuple[str, tuple[str, ...]], ...] = GROUPS


def _storage(name: str) -> str:
    return name.partition(".")[0] if name.startswith(("float16", "bfloat16")) else "float32"


def error_cell(row: FindingRow) -> tuple[str, str]:
    """The class and the text of a measured relative error: digits, and in words what is no variance."""
    value = answer(row)
    if value is None:
        return ("n", "–" if row.status == "not applicable" else clean(row.status))
    failed = [word for word, sign in (("negative", "is negative"), ("clip", "clipped at 0")) if sign in row.detail]
    if not isinstance(value, (int, float)):
        return ("x", " ".join([clean(value), *failed]))
    digits = math.inf if value == 0 else -math.log10(abs(value)) if math.isfinite(value) else -math.inf
    text = ("≥ " if row.detail.startswith("at most") else "") + cell_digits(digits)
    return ("x" if failed else shade(digits, _storage(row.property)), " ".join([text, *failed]))


def _cell(line: LayerGroup, name: str) -> Cell:
    row = line.worst(name)
    css, text = ("n", "") if row is None else error_cell(row)
    return css, text, tuple((each.threads, error_cell(each)[1]) for each in line.first.others.get(name, ()))


def heat(parts: Sequence[tuple[str, Sequence[Layer]]]) -> LayersHeat | None:
    """Digits of the variance that normalises, by layer and input; None where no layer was measured.

    Parameters
    ----------
    parts : a heading and the layers under it.
    """
    blocks = []
    for heading, layers in parts:
        asked = [layer for layer in layers if any(name in layer.rows for name in COLUMNS)]
        mine = tuple((line, tuple(_cell(line, name) for name in COLUMNS)) for line in lines(asked, COLUMNS, {}))
        if mine:
            blocks.append((heading, mine))
    if not blocks:
        return None
    batch = [layer for _, layers in parts for layer in layers if layer.kind == "batch"]
    return LayersHeat(tuple(blocks), sum(len(mine) for _, mine in blocks), _notes(batch))


def _names(found: Sequence[Layer]) -> Markup:
    return listing([code(name) for name in dict.fromkeys(layer.framework for layer in found)])


def _notes(batch: Sequence[Layer]) -> tuple[Markup, ...]:
    notes = []
    for name, mean in (("accuracy.1e4", "10⁴"), ("accuracy.1e6", "10⁶")):
        asked = [layer for layer in batch if layer.value(name) is not None]
        lost = [layer for layer in asked if _lost(layer.value(name))]
        if asked:
            notes.append(sentence("lost", mean=mean, names=_names(lost), asked=len(asked), lost=len(lost)))
    both = {layer.framework for layer in batch if _lost(layer.value("accuracy.1e6"))} & {
        layer.framework for layer in batch if _kept(layer.value("accuracy.1e6"))
    }
    if both:
        mixed = [layer for layer in batch if layer.framework in both]
        notes.append(
            Markup(
                "The layout decides in {}: one variant has lost every digit at mean 10⁶ where another has two or more."
            ).format(_names(mixed))
        )
    named = [
        (word, [layer for layer in batch if any(sign in row.detail for n, row in layer.rows.items() if n in COLUMNS)])
        for word, sign in (
            ("A negative running variance", "is negative"),
            ("A variance clipped at zero", "clipped at 0"),
        )
    ]
    notes += [Markup("{}: {}.").format(word, _names(found)) for word, found in named if found]
    return tuple(notes)


def _lost(value: object) -> bool:
    return value in ("NaN", "inf", "error") or (isinstance(value, (int, float)) and not abs(value) < 1)


def _kept(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1e-2

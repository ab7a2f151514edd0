"""The museum: reported bugs, each with its input rebuilt, under its project and number.

A case is named ``museum/<owner>/<repository>#<number>``; where a report has several inputs, or where its own
is too large for the default study, a word follows. ``museum.json`` lists the cases, each with its maker, a function
of this module or of `families`. `LEFT_OUT` names the reports that have no case, and why.
"""

from __future__ import annotations

import numpy as np

from varkernels.formats import FORMATS

from . import families
from .case import Array, Case
from .case_list import listed_case, read_list
from .storing import fill, indices, store
from .streams import Floats, Stream

__all__ = ["LEFT_OUT", "cases", "reference"]

_LISTED = read_list("museum")

LEFT_OUT: dict[str, str] = _LISTED["left_out"]
"""References without a case, and the reason."""


def reference(name: str) -> str | None:
    """The ``owner/repository#number`` of a museum case's name; None for other names."""
    parts = name.split("/")
    return "/".join(parts[1:3]) if parts[0] == "museum" and "#" in name else None


def _source(name: str) -> str:
    return f"https://github.com/{(reference(name) or '').replace('#', '/issues/')}"


def cases() -> tuple[Case, ...]:
    """The cases of the group ``museum``, in a fixed order."""
    makers = {**vars(families), **globals()}
    listed = ({"source": _source(entry["name"]), **entry} for entry in _LISTED["cases"])
    return tuple(listed_case(makers, group="museum", **entry) for entry in listed)


# The makers -----------------------------------------------------------------------------------------------------------


def per_storage(storage: str, stream: Stream, rows: int, length: int, *, numbers: dict[str, float]) -> Array:
    """A constant that differs by storage."""
    return families.constant(storage, stream, rows, length, number=numbers[storage])


def one_draw_a_row(storage: str, stream: Stream, rows: int, length: int, *, mean: float, sigma: float) -> Array:
    """Each row is one number, mean + sigma z, repeated."""
    column = store(mean + sigma * stream.normal(rows), storage)
    return np.ascontiguousarray(np.broadcast_to(column[:, None], (rows, length)))


def constant_channels(storage: str, stream: Stream, rows: int, length: int, *, scale: float) -> Array:
    """Each row is one number, scale U(-1, 1), repeated."""
    column = store((2.0 * stream.uniform(rows) - 1.0) * scale, storage)
    return np.ascontiguousarray(np.broadcast_to(column[:, None], (rows, length)))


def columns(storage: str, stream: Stream, rows: int, length: int, *, numbers: tuple[float, ...]) -> Array:
    """Row r is the r-th number, repeated."""
    return np.ascontiguousarray(np.broadcast_to(store(np.array(numbers), storage)[:, None], (rows, length)))


def first_then_zeros(storage: str, stream: Stream, rows: int, length: int, *, first: float) -> Array:
    """`first` at the start of row 0, zero everywhere else."""
    x = np.zeros((rows, length), FORMATS[storage].dtype)
    x[0, 0] = first
    return x


def windows(storage: str, stream: Stream, rows: int, length: int, *, series: tuple[float, ...]) -> Array:
    """The windows of a series, one a row."""
    x = store(np.array(series), storage)
    return np.stack([x[r : r + length] for r in range(rows)])


def synthetic_image(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """255 almost everywhere, with rectangles of 254 and 253: a flat drawing, bright and nearly constant."""

    def block(row: int, start: int, stop: int) -> Floats:
        pixel = indices(start, stop) % (256 * 256)
        y, x = pixel // 256, pixel % 256
        first = (y >= 40) & (y < 72) & (x >= 40 + 8 * row) & (x < 104)
        second = (y >= 160) & (y < 176) & (x >= 96) & (x < 224)
        return 255.0 - first - 2.0 * second

    return fill(storage, rows, length, block)


def shifted_ramps(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """base + (i mod 7), one base a row: 0, 10^6, 2 10^9."""
    bases = (0.0, 1e6, 2e9)
    return fill(storage, rows, length, lambda r, a, b: bases[r] + indices(a, b) % 7)


def near_constant(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """Row r: 1 + 10^(r - 30) in the first half, 1 - 10^(r - 30) in the second."""
    scales = [float(f"1e{r - 30}") for r in range(rows)]
    return fill(
        storage,
        rows,
        length,
        lambda r, a, b: 1.0 + scales[r] * np.where(indices(a, b) < length // 2, 1.0, -1.0),
    )


def two_halves(storage: str, stream: Stream, rows: int, length: int, *, halves: tuple[float, float]) -> Array:
    """One number in the first half of each row, another in the second."""
    return fill(storage, rows, length, lambda _, a, b: np.where(indices(a, b) < length // 2, *halves))

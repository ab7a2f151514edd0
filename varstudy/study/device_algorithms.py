"""The CUDA kernels in the study: run by a GPU (``cuda``), or their compiled PTX executed on the CPU (``ptx``).

Each algorithm is there twice: contracted, where the compiler has made one fma of a product and the sum that takes it,
as Numba and nvcc do by default, and not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from varkernels.cuda import DeviceError, algorithms, catalogue, moments, run, shape_of_sum
from varkernels.formats import FORMATS, Format
from varkernels.formulas import EVERY
from varkernels.formulas.bounding import Bound, Rows, evaluate

if TYPE_CHECKING:
    from varkernels import Moments

__all__ = ["CHOICES", "OnDevice", "accumulator_of", "by_key", "chosen", "code_hash", "devices"]

# What --device may be. auto: the CPU, and the CUDA kernels on a GPU where there is one, or else by their PTX.
CHOICES = ("auto", "cpu", "ptx", "cuda")

# What the study runs: each order, and each formula that the field's kernels disagree on. The other algorithms of
# `varkernels.cuda` answer with the bits of one of these, or are these in an order that the study has.
STUDIED = (
    "naive/thread",
    "two_pass/thread",
    "welford/thread",
    "naive/block4",
    "naive/grid4",
    "two_pass/grid4",
    "corrected_two_pass/grid4",
    "kahan_two_pass/grid4",
    "chan/block",
    "chan/block4",
    "chan/grid",
    "chan/grid4",
    "chan_reciprocal/grid4",
    "chan_weighted/grid4",
    "fast/tile",
)
QUICK = ("naive/grid4", "two_pass/grid4", "chan/grid4")

# Values of the longest maps that ``default`` executes PTX on: varptx takes ten times as long as a compiled loop.
LONGEST = 2**20


@dataclass(frozen=True)
class OnDevice:
    """A CUDA algorithm on a device, in one of its two builds.

    Attributes
    ----------
    name, formula, order : as of `varkernels.Algorithm`.
    device : ``ptx`` or ``cuda``. contracted : which build.
    """

    name: str
    formula: str
    order: str
    device: str
    contracted: bool
    title: str
    summary: str
    source: str

    @property
    def key(self) -> str:
        """A name unlike any other, and unlike those of the CPU's algorithms."""
        return f"{self.device} {self.name} {self.contraction}"

    @property
    def contraction(self) -> str:
        return "on" if self.contracted else "off"

    def moments(self, view: Any, accumulator: Format) -> Moments:
        """The moments of a view's rows; as `varkernels.moments`."""
        return moments(view, self.name, accumulator, contracted=self.contracted, device=self.device)

    def bounds(self, storage: Format, accumulator: Format, rows: Rows) -> Bound:
        """Rigorous bounds of the errors of mean and M2; NaN where there is none."""
        shape = shape_of_sum(self.name, rows.n, storage)
        return evaluate(EVERY[self.formula].bound, accumulator, rows, *shape)


@cache
def _table(device: str) -> dict[str, OnDevice]:
    known = algorithms()
    found = [
        OnDevice(name, a.formula.name, a.order, device, contracted, a.title, a.summary, a.formula.source)
        for name, a in ((name, known[name]) for name in STUDIED)
        for contracted in (True, False)
    ]
    return {each.key: each for each in found}


def accumulator_of(storage: str) -> Format:
    """The format that the kernels accumulate a storage format in."""
    return catalogue.accumulator_of(FORMATS[storage])


def by_key(key: str) -> OnDevice:
    """The algorithm of a key; KeyError where there is none."""
    if key.partition(" ")[0] not in CHOICES:
        raise KeyError(key)
    return _table(key.partition(" ")[0])[key]


@cache
def code_hash() -> str:
    """A hash of what decides a CUDA kernel's bits apart from varkernels' sources: its PTX, and what executes it."""
    digest = hashlib.sha256()
    for folder, ends in ((files("varptx"), (".py", ".ll")), (files("varkernels") / "ptx", (".ptx", ".json"))):
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir(), key=lambda path: path.name):
            if path.name.endswith(ends):
                digest.update(path.name.encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def chosen(level: str, device: str, values: int = 0) -> list[OnDevice]:
    """What a level of the study runs on ``ptx`` or ``cuda``, on a map of so many values.

    PTX is executed on maps of more than 2^20 values by the level ``full`` only.
    """
    if device == "ptx" and level != "full" and values > LONGEST:
        return []
    return [each for each in _table(device).values() if level != "quick" or each.name in QUICK]


def devices(choice: str) -> dict[str, str]:
    """The devices that a choice stands for, each with why it is not measured, or an empty text where it is.

    Raises
    ------
    ValueError
        The choice is none of `CHOICES`.
    """
    if choice not in CHOICES:
        raise ValueError(f"device={choice!r} is unknown: use one of {', '.join(CHOICES)}")
    found = {"cpu": ""}
    if choice == "cpu":
        return found
    for name in ("cuda", "ptx") if choice == "auto" else (choice,):
        try:
            run.device(name)
        except DeviceError as problem:
            found[name] = str(problem)
            continue
        found[name] = ""
        break
    return found

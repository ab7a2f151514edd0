"""Finding out how a function is called, and calling it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

__all__ = ["PROBES", "CallableProblem", "Convention", "argument", "call", "convention", "text_of"]

# Small data whose moments are whole numbers: values, population variance, sample variance.
PROBES = (((0.0, 0.0, 0.0, 4.0), 3, 4), ((0.0,) * 7 + (8.0,), 7, 8), ((1.0, 3.0), 1, 2))


class CallableProblem(ValueError):
    """The function cannot be scored: one sentence that names it and says what to do."""


def text_of(error: BaseException) -> str:
    """An exception in one short line."""
    words = " ".join(str(error).split())
    shown = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return shown if len(shown) <= 160 else shown[:157] + "..."


@dataclass(frozen=True)
class Convention:
    """How a function is called, and which divisor it then uses.

    Attributes
    ----------
    keyword : ``ddof`` or ``correction`` where it takes the correction so, else empty.
    correction : what the variance is scored with: the divisor is count - correction.
    takes : ``x``, an array; or what a function that refuses arrays takes: ``list(x)``, or ``torch.tensor(x)``.
    note : how this was found out, a sentence.
    """

    keyword: str
    correction: int
    takes: str
    note: str

    @property
    def keywords(self) -> dict[str, int]:
        """What it is called with, apart from the values."""
        return {self.keyword: self.correction} if self.keyword else {}

    def __str__(self) -> str:
        return f"f({self.takes}, {self.keyword}={self.correction})" if self.keyword else f"f({self.takes})"


def argument(values: NDArray[Any], takes: str) -> Any:
    """A row of any of the four formats, as a function takes it. See `Convention`."""
    if takes == "list(x)":
        return values.astype(np.float64).tolist()
    if takes == "torch.tensor(x)":
        torch: Any = importlib.import_module("torch")
        if values.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(values.view(np.int16).copy()).view(torch.bfloat16)
        return torch.from_numpy(values.copy())
    return values.copy()


def call(function: Callable[..., Any], values: Any, **keywords: Any) -> float:
    """What the function answers, as a float. Its warnings and its printing are kept from the user."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        answer = function(values, **keywords)
        if isinstance(answer, (complex, np.complexfloating, str, bytes, type(None))) or np.ndim(answer) > 1:
            raise TypeError(f"it answers {type(answer).__name__}, not a number")
        if isinstance(answer, (np.ndarray, list, tuple)):
            if np.size(answer) != 1:
                raise TypeError(f"it answers {np.size(answer)} numbers, not one")
            answer = np.asarray(answer).reshape(-1)[0]
        return float(answer)


def _agrees(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=1e-6)


def _probe(function: Callable[..., Any], takes: str, **keywords: Any) -> int | float | str | None:
    """The correction that the function uses on the small data (0 or 1), else what it answers to the first of them,
    or what it raises."""
    seen = set()
    first = math.nan
    for k, (values, population, sample) in enumerate(PROBES):
        try:
            answer = call(function, argument(np.array(values), takes), **keywords)
        except (Exception, SystemExit) as error:
            return text_of(error)
        first = answer if not k else first
        seen.add(0 if _agrees(answer, population) else 1 if _agrees(answer, sample) else None)
    if len(seen) == 1 and None not in seen:
        return seen.pop()
    return float(first)


def convention(function: Callable[..., Any], name: str, correction: int | None = None) -> Convention:
    """How to call a function, found out on small data whose variances are whole numbers.

    Tried in this order: the keyword ddof, the keyword correction, no keyword; each with an array, then with a list,
    and where PyTorch is installed with a tensor, if the function refused the array's type. A keyword counts only if the
    answer follows it.

    Parameters
    ----------
    function, name : the function and what to call it in messages.
    correction : 0 or 1 where that is wanted; by default 0 where the function can, else what it does.

    Raises
    ------
    CallableProblem
        It raises, its answers are no variances, or it cannot have this correction.
    """
    told: list[int | float | str | None] = []
    for takes in ("x", "list(x)", "torch.tensor(x)"):
        if takes == "torch.tensor(x)" and not _wants_tensors(told):
            continue
        for keyword in ("ddof", "correction"):
            if all(_probe(function, takes, **{keyword: wanted}) == wanted for wanted in (0, 1)):
                return Convention(
                    keyword,
                    correction or 0,
                    takes,
                    f"It follows the keyword {keyword}: the divisor is n - {keyword}.",
                )
        plain = _probe(function, takes)
        told.append(plain)
        if isinstance(plain, int):
            if correction not in (None, plain):
                raise CallableProblem(
                    f"{name} has the divisor {_divisor(plain)} and takes no correction: leave out --correction"
                )
            kind = "the sample variance (Bessel's correction)" if plain else "the population variance"
            return Convention("", plain, takes, f"Without a keyword it divides by {_divisor(plain)}: {kind}.")
    answer = next((each for each in told if isinstance(each, float)), None)
    if answer is None:
        raise CallableProblem(
            f"{name} cannot be called with an array or a list of floats ({told[0]}): wrap it in a function that can"
        )
    looks = ""
    if any(_agrees(answer * answer, known) for known in (3, 4)):
        looks = ", like a standard deviation"
    elif _agrees(answer, 12):
        looks = ", the sum of squared deviations"
    raise CallableProblem(
        f"{name} computes no variance: for 0, 0, 0, 4 it gives {answer:.6g}{looks}, and not 3 or 4; wrap it in "
        "a function that does"
    )


def _wants_tensors(told: Sequence[int | float | str | None]) -> bool:
    """Whether a function refused an array or a list as something of the wrong type, and PyTorch is there."""
    refused = any(isinstance(each, str) and each.startswith(("TypeError", "AttributeError")) for each in told)
    return refused and ("torch" in sys.modules or importlib.util.find_spec("torch") is not None)


def _divisor(correction: int) -> str:
    return "n - 1" if correction else "n"

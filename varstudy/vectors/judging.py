"""Compares a kernel's answers with the exact ones, within the limits of its profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import format_of

from .._io.matching import nearest
from .calling import AnswerProblem, call
from .cases import BACKWARD, DTYPES, NORMS, Case, limits_of
from .diagnosis import Evidence, likeness
from .folder import SMALL, opened, read_cases
from .limits import Limit
from .profiles import PROFILES

__all__ = ["Failure", "assert_norm", "failures_of", "judge", "report"]

# Cases that a message lists.
_LISTED = 5


@dataclass(frozen=True, eq=False)
class Failure:
    """The worst element of an output that is beyond its limit, or what went wrong otherwise.

    Attributes
    ----------
    case : it. output : its name. place : the element's indices. exact, answer, limit : numbers of the element.
    ratio : |answer - exact| / limit. count : elements beyond their limits. trouble : a sentence, if there is no answer.
    """

    case: Case
    output: str = ""
    place: tuple[int, ...] = ()
    exact: float = np.nan
    answer: float = np.nan
    limit: float = np.nan
    ratio: float = np.inf
    count: int = 0
    trouble: str = ""

    def __str__(self) -> str:
        head = f"{self.case.name} ({self.case.why})"
        if self.trouble:
            return f"{head}: {self.trouble}"
        at = ", ".join(map(str, self.place))
        return (
            f"{head}: {self.output}[{at}] is {self.answer:.9g}, exactly {self.exact:.9g}; off by "
            f"{abs(self.answer - self.exact):.3g}, {self.ratio:.3g} times the limit of {self.limit:.3g}; "
            f"{self.count} elements are beyond theirs"
        )


def _compared(case: Case, name: str, limit: Limit, answer: NDArray[Any]) -> Failure | None:
    shape = limit.limit.shape
    if answer.shape != shape and answer.size == limit.limit.size and name in ("mean", "variance", "variance 1"):
        answer = answer.reshape(shape)
    if answer.shape != shape:
        return Failure(case, name, trouble=f"{name} has the shape {answer.shape}: answer {shape}")
    ratio = limit.ratio(answer)
    if name == "y":
        x = case.inputs["x"].array().astype(np.float64)
        ratio = np.where(np.isnan(x) & np.isfinite(answer), np.inf, ratio)
    bad = ratio > 1
    if not bad.any():
        return None
    place = tuple(map(int, np.unravel_index(int(np.argmax(ratio)), ratio.shape)))
    return Failure(
        case, name, place, float(limit.exact.high[place]), float(answer[place]), float(limit.limit[place]),
        float(ratio[place]), int(np.count_nonzero(bad)),
    )  # fmt: skip


def judge(case: Case, limits: dict[str, Limit], answers: dict[str, NDArray[Any]], unbiased: bool) -> list[Failure]:
    """The outputs of a case that are beyond their limits.

    unbiased : whether a variance that a batch norm returns is M2 / (n - 1).
    """
    found = []
    for name, answer in answers.items():
        wanted = "variance 1" if name == "variance" and unbiased and case.norm == "batch" else name
        failure = _compared(case, wanted, limits[wanted], answer)
        found += [failure] if failure else []
    return found


def failures_of(
    cases: Iterable[Case],
    answers: Callable[[Case], dict[str, NDArray[Any]]],
    profile: str,
    stored: str,
    correction: int | None = None,
    **low: str,
) -> tuple[int, list[Failure], list[Evidence]]:
    """How many cases there are, what is beyond its limit, worst first, and what a diagnosis rests on.

    answers : from a case to the answers. profile : whose limits; those of `stored` are in the cases.
    correction : of a batch norm's variance; None: 0 or 1, whichever fits.
    """
    count, plain, unbiased = 0, [], []
    evidence = []
    for case in cases:
        count += 1
        try:
            given = answers(case)
        except Exception as error:
            failure = Failure(case, trouble=_trouble(error))
            plain.append(failure)
            unbiased.append(failure)
            continue
        if profile == stored:
            limits = {name: each.loaded() for name, each in case.outputs.items()}
        else:
            numbers = {"epsilon": case.epsilon, "groups": case.groups, "correction": case.correction}
            arrays = {name: each.array() for name, each in case.inputs.items()}
            limits = limits_of(case.norm, arrays, numbers, profile, **low)
        found = [judge(case, limits, given, each) for each in (False, True)]
        plain += found[0]
        unbiased += found[1]
        evidence.append(Evidence(case, limits, given, bool(found[0] and found[1])))
    chosen = (plain, unbiased)[correction] if correction is not None else min(plain, unbiased, key=len)
    return count, sorted(chosen, key=lambda each: -each.ratio), evidence


def _trouble(error: Exception) -> str:
    return str(error) if isinstance(error, AnswerProblem) else f"the kernel raised {type(error).__name__}: {error}"


def report(count: int, found: list[Failure], evidence: list[Evidence], what: str) -> str:
    """What a failed check says: how many cases, what it looks like, and the worst cases."""
    names = dict.fromkeys(each.case.name for each in found)
    lines = [f"{what}: {len(names)} of {count} cases are beyond the limit."]
    lines += [f"It looks like this: {each}." for each in likeness(evidence)]
    lines += [f"- {each}" for each in found[:_LISTED]]
    if len(found) > _LISTED:
        lines.append(f"- and {len(found) - _LISTED} more: {', '.join(list(names)[:30])}")
    return "\n".join(lines)


def _one_of(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(
            f"{what}={given!r} is unknown: " + nearest(str(given), known, f"use one of {', '.join(known)}")
        )


def assert_norm(
    function: Callable[..., Any],
    norm: str = "layer",
    dtype: Any = "float32",
    profile: str = "single",
    backward: bool = False,
    *,
    correction: int | None = None,
    only: str = "",
    vectors: Any = None,
    formula: str = "two_pass",
    order: str = "running",
) -> None:
    """Run a kernel on the test vectors, and fail where an answer is farther from the exact one than a correct kernel's.

    Parameters
    ----------
    function : takes numpy arrays of the dtype itself (bfloat16 is that of ml_dtypes), some of them with strides, and
        answers numpy arrays or anything with DLPack:
        layer ``f(x[rows, n], weight[n], bias[n], epsilon) -> y``; rms ``f(x, weight, epsilon) -> y``;
        group ``f(x[N, C, ...], weight[C], bias[C], groups, epsilon) -> y``; instance without groups;
        batch ``f(x[N, C, ...], weight[C], bias[C], epsilon) -> y`` or ``(y, mean, variance)``;
        variance ``f(x[rows, n], correction) -> v[rows]``;
        sync ``f(counts[parts], means[parts, C], variances[parts, C]) -> (mean, variance)``.
        Backward: ``f(dy, x, weight, epsilon) -> (dx, dweight, dbias)``; rms without dbias, group with groups before
        epsilon.
    norm : one of these.
    dtype : ``float32``, ``float16`` or ``bfloat16``; of variance also ``float64``, of sync only ``float32``.
    profile : ``single``, ``running``, ``two-stage`` or ``low-precision``; `tolerance` says what they are.
    backward : whether the function computes gradients.
    correction : 0 or 1: the variance that a batch norm returns is M2 / (n - correction). None: either, but always the
        same.
    only : a part of the names of the cases to run.
    vectors : a folder that ``varstudy vectors export`` wrote; the small set that comes with the package by default.
    formula, order : of the low-precision profile.

    Raises
    ------
    AssertionError
        An answer is beyond its limit, or the function raised. The message has the family, the element, its exact
        value, the answer, the limit, and what the fault looks like.
    ValueError, TypeError
        The norm, the dtype or the profile is unknown, or no case has such a name.

    Examples
    --------
    >>> import numpy as np
    >>> from varstudy.testing import assert_norm
    >>> def layer_norm(x, weight, bias, epsilon):
    ...     d = x - x.mean(axis=1, keepdims=True)
    ...     return d / np.sqrt((d * d).mean(axis=1, keepdims=True) + np.float32(epsilon)) * weight + bias
    >>> assert_norm(layer_norm, "layer", "float32")
    """
    _one_of("norm", norm, NORMS)
    _one_of("profile", profile, PROFILES)
    name = format_of(dtype).name
    _one_of("dtype", name, DTYPES[norm])
    if backward:
        _one_of("norm", norm, BACKWARD)
    folder = SMALL if vectors is None else Path(vectors)
    cases = [each for each in read_cases(folder, norm=norm, dtype=name, backward=backward) if only in each.name]
    if not cases:
        raise ValueError(f"only={only!r}: no case of {folder} has this norm, dtype and name")
    low = {"formula": formula, "order": order} if profile == "low-precision" else {}
    count, found, evidence = failures_of(
        cases, lambda case: call(function, case), profile, opened(folder)["profile"], correction, **low
    )
    if found:
        title = (
            f"{getattr(function, '__name__', 'the kernel')}, {norm}{' backward' * backward}, {name}, profile {profile}"
        )
        raise AssertionError(report(count, found, evidence, title))

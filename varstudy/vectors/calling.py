"""Calls a kernel on a case, and takes what it answers: numpy's arrays, or anything with DLPack."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cases import Case

__all__ = ["AnswerProblem", "as_array", "call", "signature"]

_FORWARD = {
    "layer": ("x", "weight", "bias", "epsilon"),
    "rms": ("x", "weight", "epsilon"),
    "group": ("x", "weight", "bias", "groups", "epsilon"),
    "instance": ("x", "weight", "bias", "epsilon"),
    "batch": ("x", "weight", "bias", "epsilon"),
    "variance": ("x", "correction"),
    "sync": ("counts", "means", "variances"),
}
_ANSWERS = {"variance": ("variance",), "sync": ("mean", "variance")}


class AnswerProblem(ValueError):
    """A kernel's answer that cannot be compared: one sentence that says what to return."""


def signature(norm: str, backward: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a kernel gets, and what it answers at least."""
    if not backward:
        return _FORWARD[norm], _ANSWERS.get(norm, ("y",))
    given = ("dy", "x", "weight", *(["groups"] if norm == "group" else []), "epsilon")
    return given, ("dx", "dweight") if norm == "rms" else ("dx", "dweight", "dbias")


def as_array(answer: Any) -> NDArray[Any]:
    """An answer as numpy's array; tensors of torch and of other libraries by DLPack.

    Raises
    ------
    AnswerProblem
        It is no array of numbers.
    """
    if not isinstance(answer, (np.ndarray, np.generic, float, int, list)):
        for step in ("detach", "cpu"):
            if callable(getattr(answer, step, None)):
                answer = getattr(answer, step)()
        if "bfloat16" in str(getattr(answer, "dtype", "")) and callable(getattr(answer, "float", None)):
            answer = answer.float()  # numpy takes no bfloat16 by DLPack
        try:
            answer = np.from_dlpack(answer)
        except (AttributeError, TypeError, BufferError, RuntimeError, ValueError):
            answer = np.asarray(answer)
    found = np.asarray(answer)
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError):
        raise AnswerProblem(f"the kernel answered {type(answer).__name__}: return an array of numbers") from None


def call(function: Callable[..., Any], case: Case) -> dict[str, NDArray[Any]]:
    """What a kernel answers to a case, by the outputs' names, as float64.

    Raises
    ------
    AnswerProblem
        The number of answers is another one, or one is no array.
    """
    takes, answers = signature(case.norm, case.backward)
    numbers = {"epsilon": case.epsilon, "groups": case.groups, "correction": case.correction}
    given = [numbers[name] if name in numbers else case.inputs[name].array() for name in takes]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = function(*given)
    if not isinstance(found, (tuple, list)) or (len(answers) == 1 and not isinstance(found, tuple)):
        found = (found,)
    if len(found) < len(answers):
        raise AnswerProblem(f"the kernel answered {len(found)} arrays: return {', '.join(answers)}")
    if case.norm == "batch" and not case.backward and len(found) == 3:
        answers = ("y", "mean", "variance")
    return {name: as_array(each) for name, each in zip(answers, found, strict=False)}

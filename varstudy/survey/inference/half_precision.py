"""float16 and bfloat16: the error, and the format that sums."""

from __future__ import annotations

from ..probes import questions
from .accuracy import concluded, measure
from .finding import Finding, measured, not_applicable, undetermined
from .reading import Variant
from .training_statistics import Normal

__all__ = ["half_precision_findings"]

UNITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
_RIGHT = 0.05  # relative: what a float16 output resolves with room to spare


def half_precision_findings(variant: Variant, normal: Normal) -> list[Finding]:
    """The error of the implied variance in both formats, and float16's accumulator."""
    found: dict[str, Finding] = {}
    for dtype, unit in UNITS.items():
        for mean in questions.HALF_MEANS:
            name = f"{dtype}.{mean}"
            found[name] = concluded(name, measure(variant, f"{dtype}_{mean}", normal, None, unit))
    return [*found.values(), _accumulator(found["float16.0"], found["float16.4"])]


def _accumulator(zero: Finding, four: Finding) -> Finding:
    """By 25088 values about 4: their sum is beyond float16's largest number, in any order."""
    name = "float16.accumulator"
    for one in (zero, four):
        if not one.known:
            return Finding(name, None, one.status, one.detail)
        if one.value == "error":
            return not_applicable(name, f"float16 fails: {one.detail}")
    right = {one.name: isinstance(one.value, float) and one.value <= _RIGHT for one in (zero, four)}
    if all(right.values()):
        return measured(name, "float32", "or wider: a sum beyond 65504 and one of 25088 squares are right")
    if isinstance(zero.value, float) and four.value in ("inf", "NaN"):
        told = f"at mean 0, where it is small, the variance is off by {zero.value:g}"
        return measured(name, "float16", f"where the sum is beyond 65504 the outputs are {four.value}; {told}")
    return undetermined(name, f"at mean 0: {zero.value}, at mean 4: {four.value}")

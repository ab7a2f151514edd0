"""The momentum argument: what it multiplies, and its default."""

from __future__ import annotations

from ..probes import questions
from .finding import Finding, Interval, measured, not_applicable, short, undetermined
from .impulses import Kept, series
from .laws import laws
from .reading import Run, Variant

__all__ = ["momentum"]


def momentum(variant: Variant, kept: Kept, run: Run | None) -> list[Finding]:
    """Which of old and new the argument multiplies, from two steps with the argument 0.25; and its default."""
    multiplies, default = "momentum.multiplies", "momentum.default"
    found_series = series(variant, "momentum")
    if isinstance(found_series, Finding):
        if found_series.status == "not applicable":
            none = measured(multiplies, "no argument", found_series.detail)
            return [none, not_applicable(default, "there is no momentum argument")]
        return [
            Finding(multiplies, None, found_series.status, found_series.detail),
            undetermined(default, found_series.detail),
        ]
    if kept.law is None:
        why = "the law of the update is not known"
        return [undetermined(multiplies, why), undetermined(default, why)]
    name = kept.law.name
    if name in ("plain average", "batch-size weighted") and kept.law.parameter is None:
        return [measured(multiplies, "no argument", f"{name}: the argument changes nothing"),
                not_applicable(default, "the law has no parameter")]  # fmt: skip
    found = laws(found_series.weights, found_series.error, "exponential" if name == "batch-size weighted" else name)
    value = found[0].parameter if found else None
    if value is None or kept.law.parameter is None:
        why = f"two steps with the argument {questions.MOMENTUM} do not fit the law {name}"
        return [undetermined(multiplies, why), undetermined(default, why)]
    fresh = name not in ("zero-debiased", "accumulated decay")  # the parameter is the new batch's weight
    which = None
    for share, side in ((value, "new" if fresh else "old"), (Interval(1 - value.high, 1 - value.low),
                                                              "old" if fresh else "new")):  # fmt: skip
        if questions.MOMENTUM in share:
            which = side
    if which is None:
        neither = f"neither {questions.MOMENTUM} nor {1 - questions.MOMENTUM}"
        why = f"with the argument {questions.MOMENTUM} the law's parameter is {value.middle:.6g}, {neither}"
        return [undetermined(multiplies, why), undetermined(default, why)]
    own = kept.law.parameter
    own = own if (which == "new") == fresh else Interval(1 - own.high, 1 - own.low)
    number, unique = short(own)
    said = measured(
        multiplies, which, f"with the argument {questions.MOMENTUM}: the law's parameter {value.middle:.6g}"
    )
    return [said, measured(default, number, _signature(run, own) or ("" if unique else str(own)))]


def _signature(run: Run | None, own: Interval) -> str:
    given = run.signature if run else {}
    for name, default in given.items():
        if isinstance(default, (int, float)) and not isinstance(default, bool) and default in own:
            return f"the signature has {name}={default!r}"
    return ""

"""What a verdict says: the answer, and the reasons in the order of their weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from varkernels import get
from varkernels.formats import FORMATS

from .aggregates import EPSILON
from .algorithm_answers import Answer
from .recommendation import Choice, Pick, caution
from .verdict_facts import EpsilonFacts, RangeFacts, Rows

__all__ = ["USUAL_EPSILON", "sentences"]

USUAL_EPSILON = EPSILON
# A change of the variance that is worth a sentence.
NOTABLE = 0.01

Facts = Mapping[str, Any]


def sentences(
    facts: Facts,
    found: Sequence[Answer],
    choices: Mapping[str, Choice | None],
    recommended: tuple[str, str] | None,
    rows: Rows,
) -> tuple[str, list[str]]:
    """The answer and the reasons of a verdict.

    Parameters
    ----------
    facts : the attributes of a `Verdict` by name, but for the answer, the reasons, the choices and the recommendation.
    found : what all algorithms answer. choices, recommended : as `Verdict` has them. rows : how the rows are made.
    """
    about, spread, storage = _about(facts, rows), facts["range"], facts["storage"]
    if facts["undefined"] == facts["rows"]:
        answer = (
            f"There is no variance: every row has {_count(facts['values'], 'value')}, and count - correction is "
            f"{facts['values'] - facts['correction']:g}. Lower the correction."
        )
        return answer, [about, *_one_value(facts)]
    if not found:
        return "No row has a variance: remove NaN and infinities first.", [about, *_not_finite(facts)]
    constant = facts["constant"] == facts["rows"] - facts["nonfinite"] - facts["undefined"]
    reasons = [about]
    if facts["values"] == 1:
        answer = "Every row has one value, so that its variance is 0 with every algorithm."
        reasons += _one_value(facts)
    elif recommended:
        answer = f"Use {recommended[0]} with a {recommended[1]} accumulator."
        if constant:
            answer += " Every row is constant: its exact variance is 0."
        choice = choices[recommended[1]]
        assert choice is not None
        reasons += _why(choice, facts, found, recommended, constant)
    else:
        answer, more = _none_is_safe(choices, facts)
        reasons += more
    answer += _format_advice(facts, spread, recommended)
    reasons += _range(spread, storage, facts)
    if facts["epsilon_facts"] is not None:
        reasons += _epsilon(facts["epsilon_facts"], facts)
    reasons += _not_finite(facts)
    reasons += _others(facts, choices, recommended)
    reasons.append(_library(facts, spread))
    return answer, reasons


def _about(facts: Facts, rows: Rows) -> str:
    shape = "x".join(map(str, facts["shape"])) or "1"
    how = f" ({facts['how']})" if facts["how"] else ""
    text = f"{shape} values in {facts['storage']}{how}"
    if facts["norm"] != "flat":
        text += f", {'taken as' if facts['assumed'] else 'in layout'} {facts['layout']}"
    each = "its only row" if facts["rows"] == 1 else f"each of {facts['rows']} rows"
    text += f": {facts['norm']} norm takes {_count(facts['values'], 'value')} together in {each}."
    if rows.positions:
        text += f" These are the {rows.shape[2]} channels of each position, as a transformer normalises them."
    if facts["assumed"] and facts["norm"] != "flat" and len(facts["shape"]) > 2:
        other = {"NLC": "NCL", "NCHW": "NHWC", "NCDHW": "NDHWC"}[facts["layout"]]
        text += f" Say layout {other} if the channels are the {'second' if other == 'NCL' else 'last'} axis."
    return text


def _not_finite(facts: Facts) -> list[str]:
    if not facts["nonfinite"]:
        return []
    more = ", ..." if facts["nonfinite"] > len(facts["nonfinite_named"]) else ""
    have = "has" if facts["nonfinite"] == 1 else "have"
    named = "; ".join(facts["nonfinite_named"])
    return [f"{_count(facts['nonfinite'], 'row')} {have} a NaN or an infinity, and so no variance: {named}{more}."]


def _one_value(facts: Facts) -> list[str]:
    if facts["values"] != 1:
        return []
    what = "channel" if facts["norm"] == "batch" else "row"
    text = f"One value a {what}: with Bessel's correction (n - 1) the variance is 0/0."
    if facts["norm"] == "batch":
        text += (
            " PyTorch refuses to train on such a batch. Most other frameworks answer zeros and move the running "
            "variance, and some write NaN into it; see `varstudy frameworks`. Use a larger batch, or group norm."
        )
    return [text]


def _why(
    choice: Choice, facts: Facts, found: Sequence[Answer], recommended: tuple[str, str], constant: bool
) -> list[str]:
    pick = choice.cheapest
    assert pick is not None
    own = _answer(found, *recommended)
    kappa, u = facts["kappa_worst"], float(FORMATS[facts["storage"]].unit_roundoff)
    among = ", this array among them" if kappa * u < 1 else " in the study"
    of = f" of {choice.held:.1f}" if constant else ""
    study = (
        f"at least {pick.digits:.1f}{of} digits on the {choice.maps} maps that decide{among}, with rows of up to "
        f"{choice.limit:,} values (worst: {pick.case})"
    )
    if constant:
        here = "" if own is None else f" Its largest answer here is {own.constant_worst:.3g}."
        first = f"It keeps {study}.{here}"
    else:
        kept = "all" if own is None or own.digits_worst >= choice.held else f"{max(0.0, own.digits_worst):.1f}"
        first = f"It keeps {kept} of {choice.held:.1f} digits on the worst row here, and {study}."
    reasons = [f"{first} It is the cheapest safe algorithm: {_cost(pick)}."]
    naive = _answer(found, "naive", recommended[1])
    if naive is not None:
        reasons.append(_naive(naive, facts, constant, recommended[1]))
    change = 2 * kappa * u + (kappa * u) ** 2
    if change > NOTABLE:
        much = f"up to {change:.0%}" if change < 1 else "its own size or more"
        reasons.append(
            f"The condition number is up to {kappa:.3g}: rounding the values to {facts['storage']} alone may have "
            f"changed a variance by {much}, which no algorithm undoes. Subtract the mean before the values are "
            "rounded, or store them wider."
        )
    return reasons


def _naive(naive: Answer, facts: Facts, constant: bool, accumulator: str) -> str:
    """Why not the textbook formula."""
    formula = f"naive, E[x^2] - E[x]^2, in {accumulator}"
    bad = naive.tally.wrong + naive.tally.inaccurate
    if constant:
        gives = "gives 0 here by luck" if not naive.constant_worst else f"gives up to {naive.constant_worst:.3g} here"
        if naive.negative:
            gives += f", negative on {_count(naive.negative, 'row')}"
        return f"Do not use {formula}: it {gives}, and on other constants it is negative or positive."
    if bad:
        counts = [
            f"{status} on {count}"
            for status, count in (("wrong", naive.tally.wrong), ("inaccurate", naive.tally.inaccurate))
            if count
        ]
        negative = f", with {_count(naive.negative, 'negative variance')}" if naive.negative else ""
        return (
            f"Do not use {formula}: it is {' and '.join(counts)} of {_count(facts['rows'], 'row')}{negative}, for "
            f"condition numbers up to {facts['kappa_worst']:.3g}."
        )
    warning = caution(get("naive"))
    return (
        f"Do not use {formula}. It is right here, where no condition number is above {facts['kappa_worst']:.3g}, but "
        f"{warning}."
    )


def _none_is_safe(choices: Mapping[str, Choice | None], facts: Facts) -> tuple[str, list[str]]:
    known = [(name, choice) for name, choice in choices.items() if choice is not None]
    if not known:
        fits = [name for name in choices if facts["range"].fits(name)]
        if not fits:
            tried = " or ".join(choices)
            return f"No algorithm can accumulate these values in {tried}: the result is out of its range.", []
        return (
            f"No algorithm is recommended for rows of {facts['values']:,} values: none was measured on such rows.",
            [],
        )
    name, choice = max(known, key=lambda pair: pair[1].accurate.digits)
    best = choice.accurate
    return (
        f"No algorithm is safe with a {' or '.join(choices)} accumulator: the most accurate is {best.algorithm}.",
        [f"With a {name} accumulator it keeps {best.digits:.1f} of {choice.held:.1f} digits; {best.reason}."],
    )


def _format_advice(facts: Facts, spread: RangeFacts, recommended: tuple[str, str] | None) -> str:
    """The second sentence of the answer: in which format the variance and epsilon must be."""
    storage = facts["storage"]
    things = []
    if spread.above or spread.below:
        if not spread.keep_in:
            return " Scale the values by a power of two first: no format holds their variances."
        things.append("the variance")
    of_epsilon = facts["epsilon_facts"]
    wide = spread.keep_in if spread.keep_in != storage else "float32"
    if of_epsilon is not None and of_epsilon.given and of_epsilon.epsilon and _lost(of_epsilon):
        things.append("epsilon")
    return f" Keep {' and '.join(things)} in {wide}." if things else ""


def _lost(of_epsilon: EpsilonFacts) -> bool:
    return of_epsilon.stored == 0 or of_epsilon.subnormal


def _range(spread: RangeFacts, storage: str, facts: Facts) -> list[str]:
    fmt = FORMATS[storage]
    keep = f": keep the variance in {spread.keep_in}" if spread.keep_in else ": scale the values first"
    reasons = []
    if spread.above:
        most = "" if facts["rows"] == 1 else "up to "
        reasons.append(
            f"The variance is {most}{spread.largest}, beyond {storage}{_on(spread.above, facts)}, whose largest number "
            f"is {float(fmt.largest):.6g}{keep}."
        )
    if spread.below:
        zero = f", and rounds to 0{_on(spread.vanishing, facts)}" if spread.vanishing else ""
        reasons.append(
            f"The variance is as small as {spread.smallest}. It is below {storage}'s smallest normal number "
            f"{float(fmt.smallest_normal):.2g}{_on(spread.below, facts)}{zero}{keep}."
        )
    if spread.squares_overflow[storage]:
        wider = next((name for name in ("float32", "float64") if name != storage and spread.fits(name)), "")
        alone = spread.deviation**2 > fmt.largest
        what = (
            f"the value farthest from its mean is off by {spread.deviation:.4g}, in {spread.deviation_row}, and its "
            f"square alone is beyond {storage}"
            if alone
            else f"the squared deviations of a row add up to {spread.largest_sum}, beyond {storage}"
        )
        advice = f"Square and sum in {wider}" if wider else "Scale the values first"
        reasons.append(
            f"A sum of squares overflows {storage}{_on(spread.squares_overflow[storage], facts)}: {what}. {advice}."
        )
    return reasons


def _epsilon(of_epsilon: EpsilonFacts, facts: Facts) -> list[str]:
    storage, fmt = facts["storage"], FORMATS[facts["storage"]]
    name = f"epsilon {of_epsilon.epsilon:g}"
    reasons = []
    if of_epsilon.given and of_epsilon.epsilon:
        if of_epsilon.stored == 0:
            text = f"{name} is 0 in {storage}, whose smallest number is {float(fmt.smallest_subnormal):.2g}"
            text += f", and then {_zero_over_zero(facts)}" if facts["constant"] else ""
            reasons.append(f"{text}: add it in float32.")
        elif of_epsilon.subnormal:
            reasons.append(
                f"{name} is below {storage}'s smallest normal number {float(fmt.smallest_normal):.2g}: it has fewer "
                "digits there, and hardware that flushes such numbers makes it 0. Add it in float32."
            )
    if of_epsilon.given and not of_epsilon.epsilon and facts["constant"]:
        reasons.append(f"Epsilon is 0, so that {_zero_over_zero(facts)}.")
    if of_epsilon.above:
        usual = "" if of_epsilon.given else "the usual "
        reasons.append(
            f"{usual}{name} is larger than the variance{_on(of_epsilon.above, facts)}, so that epsilon dominates: the "
            f"normalised output has a standard deviation of {of_epsilon.deviation:.2g} instead of 1."
        )
    elif of_epsilon.given and of_epsilon.epsilon and not math.isnan(of_epsilon.share):
        reasons.append(
            f"{name} is at most {of_epsilon.share:.2g} of a variance: the normalised output keeps a standard deviation "
            f"of at least {of_epsilon.deviation:.6f}."
        )
    return [text[0].upper() + text[1:] for text in reasons]


def _zero_over_zero(facts: Facts) -> str:
    return f"the {_count(facts['constant'], 'row')} with variance 0 become{'s' * (facts['constant'] == 1)} 0/0 = NaN"


def _others(facts: Facts, choices: Mapping[str, Choice | None], recommended: tuple[str, str] | None) -> list[str]:
    """The runner-up, and the choice for the other accumulators."""
    if recommended is None:
        return []
    reasons = []
    own = choices[recommended[1]]
    if own is not None and own.runner_up is not None:
        reasons.append(f"Runner-up: {own.runner_up.algorithm}, {_cost(own.runner_up)}.")
    for name, choice in choices.items():
        if name != recommended[1]:
            if not facts["range"].fits(name):
                reasons.append(f"A {name} accumulator does not hold the sums of this array.")
            elif choice is None:
                reasons.append(f"With a {name} accumulator nothing was measured on rows of this length.")
            elif choice.cheapest is None:
                reasons.append(f"With a {name} accumulator no algorithm is safe.")
            else:
                reasons.append(f"With a {name} accumulator: {choice.cheapest.algorithm}, {_cost(choice.cheapest)}.")
    return reasons


def _library(facts: Facts, spread: RangeFacts) -> str:
    """What to call from Python."""
    group, correction = facts["norm"] == "group", facts["correction"]
    words = ["x"]
    if group:
        words += ["'group'", f"layout={facts['layout']!r}", f"groups={facts['groups']}"]
    elif facts["norm"] != "flat":
        words.append(f"axis={_axes(facts['norm'], facts['layout'])}")
    if correction and not group:
        words.append(f"correction={correction:g}")
    if spread.keep_in not in ("", facts["storage"]):
        words.append(f"dtype={spread.keep_in!r}")
    call = ", ".join(words)
    call = f"feature_moments({call})['group'].variance({correction:g})" if group else f"var({call})"
    return f"To call a function instead of writing a kernel: varstudy.{call} is correctly rounded."


def _axes(norm: str, layout: str) -> tuple[int, ...]:
    pixels = [axis for axis, letter in enumerate(layout) if letter not in "NC"]
    channel = layout.index("C")
    if norm == "batch":
        axes = [0, *pixels]
    elif norm == "instance":
        axes = pixels
    else:
        axes = [channel] if layout == "NLC" else [channel, *pixels]
    return tuple(sorted(axes))


# Small words ----------------------------------------------------------------------------------------------------------


def _answer(found: Sequence[Answer], algorithm: str, accumulator: str) -> Answer | None:
    return next((each for each in found if (each.algorithm, each.accumulator) == (algorithm, accumulator)), None)


def _cost(pick: Pick) -> str:
    return f"{_count(pick.reads, 'read')} of the data and {_count(pick.operations, 'operation')} a value"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _on(count: int, facts: Facts) -> str:
    return "" if facts["rows"] == 1 else f" on {count} of {facts['rows']} rows"

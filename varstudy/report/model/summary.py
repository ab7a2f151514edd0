"""The headline numbers and the recommendation, computed from the table by rules that the page states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from varkernels import FORMULAS, Formula

from ..words import code, count, digits, number
from .facts import Facts, decimal_digits

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DIFFERENCES",
    "FEW_LINES",
    "LENGTHS",
    "ORDINARY",
    "STEP",
    "Choice",
    "Headline",
    "by_length",
    "choices",
    "headlines",
    "ladder",
    "museum_tally",
    "one_sweep",
]

# The groups whose feature maps nobody would call adversarial.
ORDINARY = {"norms": "activations as inside a network", "photo": "photographs"}
FEW_LINES = 30  # fewer lines than this name a winner, but recommend nothing
STEP = 0.5  # digits: closer than this to the best is as good
LENGTHS = (1_000, 100_000, np.inf)  # rows of up to so many values have a recommendation of their own
# Their M2 is a difference of two sums of squares: a map that nobody measured breaks them.
DIFFERENCES = ("naive", "shifted", "shifted_first")
_LADDER = (
    "naive",
    "shifted_first",
    "two_pass",
    "welford",
    "west",
    "youngs_cramer",
    "chan",
    "corrected_two_pass",
    "kahan_two_pass",
    "neumaier_two_pass",
    "double_double",
    "fast",
    "exact",
)
_ORDERS = ("running", "lanes32", "pairwise", "blocked128")


def ladder(formula: str, order: str) -> tuple[int, int]:
    """The place of an algorithm among simpler and less simple ones; strangers last."""
    return (
        _LADDER.index(formula) if formula in _LADDER else len(_LADDER),
        _ORDERS.index(order) if order in _ORDERS else len(_ORDERS),
    )


def one_sweep(formula: str) -> bool:
    """Whether a formula reads the values from memory once; False for those that the package does not know."""
    if formula in ("fast", "exact"):
        return True
    return formula in FORMULAS and not isinstance(FORMULAS[formula].centre, Formula)


def _unsafe(formula: str) -> bool:
    return formula in DIFFERENCES or (formula in FORMULAS and FORMULAS[formula].centre == "given")


@dataclass(frozen=True)
class Choice:
    """The recommended algorithm for a storage format and an accumulator.

    Attributes
    ----------
    worst : fewest correct digits over the well-posed lines where it does not fail; case : where.
    failures, lines : lines on which it fails, of those that count.
    left_out : lines on which most algorithms overflow, or whose variance the accumulator cannot hold.
    """

    storage: str
    accumulator: str
    algorithm: str
    worst: float
    case: str
    failures: int
    lines: int
    left_out: int


@dataclass
class _Record:
    """What an algorithm did on the lines that count."""

    algorithm: str
    formula: str
    order: str
    failures: int = 0
    lines: int = 0
    worst: float = np.inf
    case: str = ""


def _records(rows: pd.DataFrame) -> list[_Record]:
    """One record for each algorithm that has a well-posed line without a failure."""
    records: dict[str, _Record] = {}
    columns = ("algorithm", "formula", "order", "case", "bad", "posed", "var_digits_worst")
    for name, formula, order, case, bad, posed, shown in zip(*(rows[c].tolist() for c in columns), strict=True):
        record = records.setdefault(name, _Record(name, formula, order))
        record.lines += 1
        record.failures += bool(bad)
        if posed and not bad and (shown < record.worst or not record.case):
            record.worst, record.case = shown, case
    return [record for record in records.values() if record.case]


def choose(
    facts: Facts, storage: str, accumulator: str, *, single: bool = False, longest: float = np.inf
) -> Choice | None:
    """The algorithm for a pair of formats, by the rule below; None where nothing was measured.

    Lines count where the exact variance is in the accumulator's normal range and where no majority of the
    algorithms overflows. Among the algorithms measured on the most lines: the fewest failures; then the worst
    correct digits, where those beyond the storage format's own count for nothing; what comes within `STEP`
    digits of the best is as good; of those the simplest. No candidates are formulas whose M2 is a difference of
    two sums of squares (`DIFFERENCES`), and those that are told a centre by their caller.

    Parameters
    ----------
    single : only formulas that read the values once. longest : only lines whose rows have no more values.
    """
    frame = facts.figures
    rows = frame[(frame["storage"] == storage) & (frame["accumulator"] == accumulator) & (frame["values"] <= longest)]
    counted = rows[rows["scored"] & ~rows["beyond"] & ~rows["crowd"]]
    if counted.empty:
        return None
    records = [
        record
        for record in _records(counted)
        if not _unsafe(record.formula) and (not single or one_sweep(record.formula))
    ]
    if not records:
        return None
    most = max(record.lines for record in records)
    records = [record for record in records if record.lines >= 0.9 * most]
    fewest = min(record.failures for record in records)
    records = [record for record in records if record.failures == fewest]
    full = decimal_digits(storage)
    enough = max(min(record.worst, full) for record in records) - STEP
    records = [record for record in records if min(record.worst, full) >= enough]
    best = min(records, key=lambda r: (ladder(r.formula, r.order), r.algorithm))
    left = int(rows["line"].nunique()) - int(counted["line"].nunique())
    return Choice(storage, accumulator, best.algorithm, best.worst, best.case, best.failures, best.lines, left)


def choices(facts: Facts) -> list[tuple[Choice, Choice | None]]:
    """For each pair of formats of the table the recommended algorithm, and the best that reads values once."""
    found = []
    for storage, accumulator in facts.formats():
        best = choose(facts, storage, accumulator)
        if best:
            found.append((best, choose(facts, storage, accumulator, single=True)))
    return found


def by_length(facts: Facts) -> list[tuple[str, str, tuple[Choice | None, ...]]]:
    """Storage, accumulator, and the recommended algorithm for rows of up to each of `LENGTHS` values; only pairs of
    formats in which algorithms compete."""
    found = []
    for storage, accumulator in facts.formats():
        frame = facts.figures
        rows = frame[(frame["storage"] == storage) & (frame["accumulator"] == accumulator)]
        picked = tuple(choose(facts, storage, accumulator, longest=length) for length in LENGTHS)
        if rows["algorithm"].nunique() > 1 and any(picked):
            found.append((storage, accumulator, picked))
    return found


# Headlines ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Headline:
    """A number, what it is, and the anchor of its evidence."""

    number: str
    label: str
    sentence: Markup
    anchor: str
    bad: bool = False


def _worst(frame: pd.DataFrame, algorithm: str) -> tuple[float, str] | None:
    """Fewest correct digits of an algorithm, -inf where it fails, and the case."""
    rows = frame[(frame["algorithm"] == algorithm) & frame["scored"] & ~frame["beyond"]]
    if rows.empty:
        return None
    shown = rows["var_digits_worst"].where(~rows["nonfinite"], -np.inf)
    place = int(shown.to_numpy().argmin())
    return float(shown.iloc[place]), str(rows["case"].iloc[place])


def museum_tally(facts: Facts, algorithms: list[str]) -> dict[str, tuple[int, int]]:
    """For each algorithm on how many cases of the museum it goes wrong, of how many, in the storage's own format.

    A case counts where a variance of it comes out negative, NaN, infinite, other than zero on constant values,
    or with less than one correct digit; lines whose exact variance the format cannot hold do not count.
    """
    frame = facts.figures
    rows = frame[(frame["group"] == "museum") & frame["own"] & frame["scored"] & ~frame["beyond"]]
    wrong = rows["fails"] | (rows["var_digits_worst"] < 1)
    found = {}
    for algorithm in algorithms:
        mine = rows["algorithm"] == algorithm
        total = rows.loc[mine, "case"].nunique()
        if total:
            found[algorithm] = (int(rows.loc[mine & wrong, "case"].nunique()), int(total))
    return found


def _first_choice(facts: Facts) -> Choice | None:
    """The choice that the headlines speak of: float32 in float32, or else the first pair with its own format."""
    own = [(s, a) for s, a in facts.formats() if s == a]
    for pair in (*(p for p in own if p == ("float32", "float32")), *own):
        best = choose(facts, *pair)
        if best:
            return best
    return None


def headlines(facts: Facts) -> list[Headline]:
    """Four numbers, each with one sentence; fewer where the table lacks what a number needs."""
    best = _first_choice(facts)
    made = (
        _ordinary_headline(facts, best),
        _museum_headline(facts, best),
        _order_headline(facts),
        _choice_headline(best),
    )
    return [headline for headline in made if headline]


def _ordinary_headline(facts: Facts, best: Choice | None) -> Headline | None:
    frame = facts.figures
    for storage in ("float32", "bfloat16", "float16"):
        rows = frame[frame["group"].isin(ORDINARY) & frame["own"] & (frame["storage"] == storage)]
        naive = _worst(rows, "naive")
        if naive is None:
            continue
        maps = rows["case"].nunique()
        rest = Markup("")
        other = _worst(rows, best.algorithm) if best else None
        if best and other:
            rest = Markup(" {} keeps {} on the same maps.").format(code(best.algorithm), digits(other[0]))
        fate = "fails" if np.isneginf(naive[0]) else Markup("is left with {} correct digits").format(digits(naive[0]))
        return Headline(
            digits(naive[0]),
            f"correct digits: naive, {storage}, ordinary feature maps",
            Markup(
                "Over {} that nobody would call adversarial ({}) the naive one-pass formula in {} {} at its worst "
                "({}), of the {} that the format has.{}"
            ).format(
                count(maps, "feature map"),
                " and ".join(word for group, word in ORDINARY.items() if (rows["group"] == group).any()),
                storage,
                fate,
                code(naive[1]),
                f"{decimal_digits(storage):.1f}",
                rest,
            ),
            "heat",
            naive[0] < 1,
        )
    return None


def _museum_headline(facts: Facts, best: Choice | None) -> Headline | None:
    tally = museum_tally(facts, ["naive", *([best.algorithm] if best else [])])
    if "naive" not in tally:
        return None
    wrong, total = tally["naive"]
    rest = Markup("")
    if best and best.algorithm in tally:
        rest = Markup(" {} goes wrong on {} of {}.").format(code(best.algorithm), *tally[best.algorithm])
    return Headline(
        f"{wrong} of {total}",
        "bugs from the wild that the naive formula still has",
        Markup(
            "On {} of {} rebuilt from bug reports the naive formula, in the format of the data, answers with a "
            "negative variance, NaN, infinity, a spread where there is none, or less than one correct digit.{}"
        ).format(wrong, count(total, "input"), rest),
        "museum",
        wrong > 0,
    )


def _order_headline(facts: Facts) -> Headline | None:
    frame = facts.figures
    for storage in ("float32", "float64", "bfloat16", "float16"):
        rows = frame[frame["own"] & (frame["storage"] == storage) & frame["posed"] & ~frame["beyond"]]
        pair: dict[str, dict[int, float]] = {}
        for name in ("two_pass", "pairwise"):
            mine = rows[(rows["algorithm"] == name) & np.isfinite(rows["var_digits_worst"])]
            pair[name] = dict(zip(mine["line"].tolist(), mine["var_digits_worst"].tolist(), strict=True))
        lines = [line for line in pair["two_pass"] if line in pair["pairwise"]]
        if not lines:
            continue
        # What a reader can use: no less than no digit, no more than the format has.
        full = decimal_digits(storage)
        gain = {
            line: float(np.clip(pair["pairwise"][line], 0, full) - np.clip(pair["two_pass"][line], 0, full))
            for line in lines
        }
        place = max(gain, key=gain.__getitem__)
        before, after = pair["two_pass"][place], pair["pairwise"][place]
        case = str(rows.loc[rows["line"] == place, "case"].iloc[0])
        none = Markup("none (its error is {} times the variance)").format(number(10.0**-before))
        return Headline(
            digits(gain[place]),
            f"digits, from the order of summation alone ({storage})",
            Markup(
                "The same textbook two-pass formula goes from {} to {} correct digits on {} when its sums are "
                "taken pairwise instead of one value after the other; the median gain over {} is {}."
            ).format(
                digits(before) if before > 0 else none,
                f"all {full:.1f}" if after >= full else digits(after),
                code(case),
                count(len(gain), "line"),
                digits(float(np.median(list(gain.values())))),
            ),
            "heat",
        )
    return None


def _choice_headline(best: Choice | None) -> Headline | None:
    if best is None:
        return None
    few = best.lines < FEW_LINES
    beyond = f"; {best.left_out} more are beyond the format’s range" if best.left_out else ""
    return Headline(
        digits(best.worst),
        f"correct digits at worst: {best.algorithm}, {best.storage}",
        Markup(
            "{} for {} summed in {}: over {} it fails on {}, and elsewhere keeps at least {} of {} digits on "
            "well-posed data (fewest on {}){}.{}"
        ).format(
            "The best algorithm of this run" if few else "The recommended algorithm",
            best.storage,
            best.accumulator,
            count(best.lines, "measured line"),
            best.failures,
            digits(best.worst),
            f"{decimal_digits(best.storage):.1f}",
            code(best.case),
            beyond,
            " So few lines recommend nothing." if few else "",
        ),
        "choice",
    )

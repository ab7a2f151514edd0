"""The rule that recommends an algorithm, on small populations and on the committed one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMATS, algorithms
from varstudy.study import featuremaps, population, results
from varstudy.study.measuring import measure
from varstudy.study.population import LENGTHS, Measurement, Population, summarise
from varstudy.study.recommendation import TIE, Choice, caution, is_candidate, length_class, recommend
from varstudy.study.score import MAY_LOSE, Tally, held

FULL = held(FORMATS["float32"])
NEEDED = FULL - MAY_LOSE


def measured(
    algorithm: str,
    digits: float = FULL,
    case: str = "growth/a/N=2^10",
    values: int = 1024,
    kappa: float = 2.0,
    negative: int = 0,
    tally: Tally | None = None,
    squares_overflow: int = 0,
    pair: tuple[str, str] = ("float32", "float32"),
) -> Measurement:
    error = 10.0**-digits
    if tally is None:
        tally = Tally(right=1) if error <= 10 * float(FORMATS[pair[0]].unit_roundoff) else Tally(wrong=1)
    return Measurement(case, algorithm, *pair, values, error, kappa, tally, squares_overflow, negative)


def chosen(found: Iterable[Measurement], values: int = 1024) -> Choice:
    choice = recommend(summarise(found), "float32", "float32", values)
    assert choice is not None
    return choice


def test_the_cheapest_that_is_safe_wins_and_the_map_that_decides_is_named() -> None:
    choice = chosen(
        [
            measured("welford", 3.0, "hard", 512),
            measured("welford"),
            measured("pairwise", 6.7, "hard", 512),
            measured("pairwise"),
            measured("double_double", 7.1, "hard", 512),
            measured("double_double"),
        ]
    )
    assert choice.cheapest is not None
    assert (choice.cheapest.algorithm, choice.cheapest.case, choice.cheapest.values) == ("pairwise", "hard", 512)
    assert choice.cheapest.digits == pytest.approx(6.7)
    assert choice.accurate.algorithm == "double_double"
    assert choice.deciding is not None
    assert (choice.deciding.algorithm, choice.deciding.case) == ("welford", "hard")
    assert choice.margin == pytest.approx(6.7 - NEEDED)
    assert choice.runner_up is not None
    assert choice.runner_up.algorithm == "double_double"
    assert (choice.cheapest.reads, choice.cheapest.state) == (2, 2)
    assert (choice.maps, choice.limit, choice.longest) == (2, LENGTHS[0], 1024)


def test_what_is_not_safe_is_not_chosen_and_the_best_of_it_is_named() -> None:
    choice = chosen([measured("welford", 3.0), measured("pairwise", 4.0)])
    assert choice.cheapest is None
    assert choice.runner_up is None
    assert choice.accurate.algorithm == "pairwise"
    assert choice.margin == math.inf


@pytest.mark.parametrize("name", ["naive", "naive/pairwise", "shifted_first", "shifted", "exact"])
def test_a_difference_a_given_centre_and_the_reference_are_no_candidates(name: str) -> None:
    assert not is_candidate(algorithms()[name])
    found = [measured(each) for each in (name, "two_pass", "double_double")]
    choice = chosen(found)
    assert choice.cheapest is not None
    assert choice.cheapest.algorithm == "two_pass"
    assert name not in {choice.accurate.algorithm, *(each.algorithm for each in choice.rejected)}


def test_who_is_never_recommended_comes_with_a_caution() -> None:
    for name, algorithm in algorithms().items():
        assert bool(caution(algorithm)) == (algorithm.difference or algorithm.needs_centre), name
    assert "outlier" in caution(algorithms()["shifted_first"])


def test_a_lucky_zero_on_constants_recommends_nothing() -> None:
    lucky = [measured(name, math.inf, "constant", 6, kappa=math.inf) for name in ("welford", "pairwise")]
    assert recommend(summarise(lucky), "float32", "float32", 6) is None
    # Nor does a bad answer on constants forbid anything, unless it is negative.
    base = [measured("welford"), measured("double_double")]
    far = Tally(wrong=1)
    bad = measured("welford", -math.inf, "constant", 6, kappa=math.inf, tally=far)
    assert chosen([*base, bad]).cheapest.algorithm == "welford"  # type: ignore[union-attr]
    choice = chosen([*base, replace(bad, negative=1)])
    assert choice.cheapest is not None
    assert choice.cheapest.algorithm == "double_double"
    assert choice.rejected[0].reason == "a variance of constant comes out negative"


@pytest.mark.parametrize(
    "out",
    [
        {"tally": Tally(right=1, out_of_range=1)},
        {"squares_overflow": 1},
        {"tally": Tally(undefined=1)},
        {"tally": Tally(not_finite=1)},
        {"kappa": 2.0**24},
    ],
)
def test_maps_out_of_range_or_ill_posed_decide_nothing(out: dict[str, object]) -> None:
    base = [measured("welford"), measured("double_double")]
    other = replace(measured("welford", 0.0, "other"), **out)  # type: ignore[arg-type]
    assert chosen([*base, other]) == chosen(base)


def test_lengths_are_claimed_as_far_as_they_were_measured() -> None:
    short = [measured(name) for name in ("welford", "pairwise")]
    assert chosen(short, 1024).longest == 1024
    longer = [measured(name, case="growth/a/N=2^24", values=1 << 24) for name in ("welford", "pairwise")]
    choice = chosen([*short, *longer], 1 << 24)
    assert (choice.limit, choice.longest) == (1 << 26, 1 << 24)
    assert recommend(summarise([*short, *longer]), "float32", "float32", (1 << 26) + 1) is None
    assert [length_class(n) for n in (1, 4096, 4097, 1 << 26, (1 << 26) + 1)] == [
        LENGTHS[0], LENGTHS[0], LENGTHS[1], LENGTHS[3], None,
    ]  # fmt: skip


def test_the_bound_disqualifies_running_sums_of_lengths_that_came_out_right_on_benign_maps_only() -> None:
    found = [measured(name, case="photo", values=1 << 20, pair=("bfloat16", "float32")) for name in ("welford", "chan")]
    choice = recommend(summarise(found), "bfloat16", "float32", 1 << 20)
    assert choice is not None
    assert choice.cheapest is not None
    assert choice.cheapest.algorithm == "chan"
    assert choice.rejected[0].algorithm == "welford"
    assert "bound" in choice.rejected[0].reason
    # A map of the group growth of that length qualifies it.
    grown = [replace(each, case="growth/a/N=2^20") for each in found]
    choice = recommend(summarise([*found, *grown]), "bfloat16", "float32", 1 << 20)
    assert choice is not None
    assert choice.cheapest is not None
    assert choice.cheapest.algorithm == "welford"


def test_who_lacks_a_map_is_no_candidate() -> None:
    found = [measured("welford"), measured("pairwise"), measured("double_double")]
    others = [measured("pairwise", case="b"), measured("double_double", case="b")]
    choice = chosen([*found, *others])
    assert choice.cheapest is not None
    assert choice.cheapest.algorithm == "pairwise"
    assert choice.rejected == ()


FORMULAS = ["welford", "chan", "two_pass", "pairwise", "youngs_cramer", "corrected_two_pass", "double_double"]
DIGITS = st.dictionaries(
    st.sampled_from(
        ["welford", "chan", "two_pass", "pairwise", "youngs_cramer", "corrected_two_pass", "double_double"]
    ),
    st.floats(NEEDED - 0.5, FULL),
    min_size=2,
)


@given(DIGITS)
@settings(max_examples=200, deadline=None)
def test_no_choice_is_decided_by_less_than_a_tie(digits: dict[str, float]) -> None:
    choice = recommend(summarise(measured(name, each) for name, each in digits.items()), "float32", "float32", 1024)
    if choice is None:  # one formula
        return
    assert choice.cheapest is None or choice.margin >= TIE - 1e-9
    for each in choice.rejected:
        assert each.reason
    if choice.cheapest is not None:
        assert choice.cheapest.digits >= NEEDED + TIE - 1e-9
        assert choice.accurate.digits <= max(digits.values()) + 1e-9


@given(DIGITS, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_measurements_plays_no_part(digits: dict[str, float], random) -> None:  # type: ignore[no-untyped-def]
    found = [measured(name, each) for name, each in digits.items()]
    before = recommend(summarise(found), "float32", "float32", 1024)
    random.shuffle(found)
    assert recommend(summarise(found), "float32", "float32", 1024) == before


# ------------------------------------------------------------------------------------------ the committed population


def committed_choices() -> list[Choice]:
    found = population.committed()
    made = [recommend(found, *pair, length) for pair, length in itertools.product(found.pairs(), LENGTHS)]
    return [choice for choice in made if choice]


def test_no_committed_choice_is_decided_by_less_than_a_tie() -> None:
    choices = committed_choices()
    assert {(c.storage, c.accumulator) for c in choices} == {
        ("float16", "float16"), ("float16", "float32"), ("bfloat16", "bfloat16"), ("bfloat16", "float32"),
        ("float32", "float32"), ("float32", "float64"), ("float64", "float64"),
    }  # fmt: skip
    for choice in choices:
        assert choice.margin >= TIE, choice
        if choice.cheapest:
            assert choice.cheapest.digits >= choice.needed + TIE
            assert choice.cheapest.case


def test_narrow_formats_are_measured_up_to_two_to_the_26() -> None:
    found = population.committed()
    for storage in ("float16", "bfloat16"):
        choice = recommend(found, storage, "float32", 1 << 26)
        assert choice is not None
        assert choice.longest == 1 << 26
        assert choice.cheapest is not None
        assert choice.cheapest.order != "running"
        running = [each for each in choice.rejected if each.order == "running"]
        assert {"welford"} <= {each.algorithm for each in running}


def test_a_population_is_read_as_it_was_written() -> None:
    found = population.committed()
    assert Population.of_record(found.record()).worst == dict(found.worst)


def test_the_committed_population_is_what_a_study_measures() -> None:
    committed = population.committed().worst
    decided = 0
    names = ("pairwise", "two_pass/blocked128", "corrected_two_pass/pairwise", "kahan_two_pass", "neumaier_two_pass")
    for name in ("nist/NumAcc3", "bessel/n=0003", "bessel/n=0008"):
        records = list(measure(featuremaps.find(name), "float32", 0, [algorithms()[each] for each in names]))
        found = results.from_records(records, cases={}, algorithms={}, settings={})
        for key, worst in summarise(population.measurements(found)).worst.items():
            known = committed[key]
            assert known.maps >= worst.maps > 0
            assert known.longest >= worst.longest
            assert known.error >= worst.error, (name, key)
            if known.case == name:
                assert known.error == worst.error
                decided += 1
    assert decided

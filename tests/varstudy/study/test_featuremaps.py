"""Feature maps: the same bits everywhere, the condition numbers asked for, every bug of the museum accounted
for."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import pickle
import re
import statistics
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from varkernels import views
from varkernels.formats import FORMATS
from varstudy.study import featuremaps
from varstudy.study.featuremaps import families, museum, nist, photos, storing, streams, sweeps
from varstudy.study.featuremaps.streams import Stream

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
DEFAULT = featuremaps.cases("default")
MEDIUM = [case for case in DEFAULT if case.elements <= 2**20]


def rows_of(case: featuremaps.Case, storage: str, norm: str | None = None, seed: int = 0) -> np.ndarray:
    """The rows of a case under its first norm, or the given one: array (rows, values)."""
    norm = norm or case.norms[0]
    groups = case.groups if norm == "group" else None
    view = views.view(case.make(storage, seed), norm, layout=case.layout, groups=groups)
    assert view.ndim == 3
    return view.transpose(1, 0, 2).reshape(view.shape[1], -1)


def exact_moments(row: np.ndarray) -> tuple[Fraction, Fraction]:
    """Mean and sum of squared deviations of a row, by integers: every finite float is an integer times
    2^-1074."""
    ratios = [float(x).as_integer_ratio() for x in row]
    scale = max(d for _, d in ratios)
    integers = [n * (scale // d) for n, d in ratios]
    s1, s2, n = sum(integers), sum(i * i for i in integers), len(integers)
    return Fraction(s1, n * scale), Fraction(n * s2 - s1 * s1, n * scale**2)


def kappa_squared(row: np.ndarray) -> Fraction:
    mean, s = exact_moments(row)
    return 1 + len(row) * mean**2 / s


def running(values: np.ndarray) -> np.floating:
    """The plain running sum in the array's own dtype."""
    return np.add.accumulate(values, dtype=values.dtype)[-1]


def naive_variance(row: np.ndarray, correction: int = 0) -> np.floating:
    """The one-pass formula in the array's own dtype, running sums."""
    n = row.dtype.type(len(row))
    return (running(row * row) - running(row) * running(row) / n) / (n - row.dtype.type(correction))


# --------------------------------------------------------------------------------------------- random streams


def test_words_are_the_raw_output_of_pcg64() -> None:
    digest = hashlib.sha256(b"a name").digest()
    entropy = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]
    bits = np.random.PCG64(np.random.SeedSequence([*entropy, 7]))
    np.testing.assert_array_equal(Stream("a name", 7).words(1000), bits.random_raw(1000))


def test_normal_quantile_matches_an_independent_one() -> None:
    tiny = 2.0 ** -np.arange(1, 54)
    u = np.concatenate([np.linspace(2**-30, 1 - 2**-30, 4001), tiny, 1.0 - tiny, [0.075, 0.925]])
    want = np.array([statistics.NormalDist().inv_cdf(float(x)) for x in u])
    np.testing.assert_allclose(streams._normal_quantile(u), want, rtol=4e-15, atol=1e-300)


def test_logarithm_needs_no_libm() -> None:
    x = np.concatenate([np.linspace(1e-6, 1.0, 5001)[:-1], 2.0 ** -np.arange(1, 60)])
    np.testing.assert_allclose(streams._log(x), [math.log(v) for v in x], rtol=4e-16)


def test_distributions() -> None:
    n = 1 << 18
    z, u = Stream("z", 0).normal(n), Stream("u", 0).uniform(n)
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)
    assert 0 <= u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    below = Stream("b", 0).below(n, 6)
    assert set(below) == set(range(6))
    assert abs(np.bincount(below.astype(int)) - n / 6).max() < 5 * math.sqrt(n / 6)
    assert set(Stream("s", 0).signs(1000)) == {-1.0, 1.0}
    assert sorted(Stream("p", 0).permutation(1000)) == list(range(1000))


@pytest.mark.parametrize("kind", ["words", "uniform", "normal", "signs"])
def test_drawing_in_parts_changes_nothing(kind: str) -> None:
    whole = getattr(Stream("x", 3), kind)(1000)
    parts = Stream("x", 3)
    np.testing.assert_array_equal(np.concatenate([getattr(parts, kind)(n) for n in (1, 700, 299)]), whole)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("offset/mean=1000", "offset/kappa=1e+03", "ramp/range-1", "merge/one-left-over")
    before = [featuremaps.find(name).make("float32", 5).tobytes() for name in names]
    monkeypatch.setattr(storing, "BLOCK", 1000)
    assert [featuremaps.find(name).make("float32", 5).tobytes() for name in names] == before


def test_a_negative_seed_is_refused() -> None:
    for call in (
        lambda: Stream("x", -1),
        lambda: featuremaps.cases("quick", -1),
        lambda: featuremaps.find("x", -1),
    ):
        with pytest.raises(ValueError, match=r"seed.*-1"):
            call()


# SHA-256 of the little-endian bytes: the bits may not depend on the machine, the numpy version or the day.
PINNED = {
    ("normal/standard", "float64"): "b621bc7d9e898109",
    ("offset/kappa=1e+03", "float32"): "22d612eee91b2faf",
    ("offset/kappa=1e+03", "float16"): "f300761a89024bc4",
    ("offset/kappa=1e+03", "bfloat16"): "ba94c55826ff5bd8",
    ("offset/kappa=1e+16", "float64"): "23393969849ce079",
    ("bright-image/uint8", "bfloat16"): "f2ce2eb525b1501d",
    ("norms/relu/NHWC", "bfloat16"): "33d8bcd182c79e42",
    ("spike/stagnation-first", "float32"): "cc1295e47e2639f1",
    ("museum/NVIDIA/apex#1768", "float32"): "6bb6c1e034676aaa",
}


@pytest.mark.parametrize(("name", "storage"), PINNED)
def test_bits_are_pinned(name: str, storage: str) -> None:
    array = featuremaps.find(name).make(storage, 0)
    little = array.view(f"u{array.itemsize}").astype(f"<u{array.itemsize}")
    assert hashlib.sha256(little.tobytes()).hexdigest()[:16] == PINNED[name, storage]


def test_values_depend_on_name_and_seed_alone() -> None:
    one, other = featuremaps.find("offset/kappa=1e+02"), featuremaps.find("normal/standard")
    first = one.make("float32", 0)
    other.make("float32", 0)
    np.testing.assert_array_equal(one.make("float32", 0), first)
    assert (one.make("float32", 1) != first).mean() > 0.9
    assert (featuremaps.find("growth/normal/N=2^08").make("float32", 0) != other.make("float32", 0).flat[:256]).all()


# -------------------------------------------------------------------------------------- rounding to a storage


@pytest.mark.parametrize("storage", FORMATS)
def test_storing_rounds_once(storage: str) -> None:
    fmt = FORMATS[storage]
    stream = Stream(f"rounding {storage}", 0)
    mantissas = 1.0 + stream.uniform(400)
    exponents = fmt.emin - fmt.precision + stream.below(400, fmt.emax - fmt.emin + fmt.precision - 1)
    # Next to ties: halfway between two numbers, and one float64 ulp to either side.
    ties = 1.0 + (2.0 * stream.below(200, 2 ** min(20, fmt.precision - 1)) + 1.0) * 2.0**-fmt.precision
    subnormal_ties = (2.0 * stream.below(100, 64) + 1.0) * 2.0 ** (fmt.emin - fmt.precision)
    values = np.concatenate(
        [
            np.ldexp(mantissas, exponents.astype(int)),
            *(
                f(t)
                for t in (ties, subnormal_ties)
                for f in (np.abs, lambda v: np.nextafter(v, 9e9), lambda v: np.nextafter(v, -9e9))
            ),
            [0.0, float(fmt.largest), float(fmt.smallest_normal), float(fmt.smallest_subnormal)],
        ]
    )
    values = np.concatenate([values, -values])
    got = storing.store(values, storage).astype(np.float64)
    want = [storing.round_fraction(Fraction(float(v)), storage) for v in values]
    np.testing.assert_array_equal(got, want)


def test_rounding_of_fractions_against_float() -> None:
    stream = Stream("fractions", 0)
    for numerator, denominator in zip(stream.words(200), stream.words(200), strict=True):
        value = Fraction(int(numerator), int(denominator) + 1)
        assert storing.round_fraction(value, "float64") == float(value)
    assert storing.round_fraction(Fraction(1, 10), "float32") == float(np.float32(0.1))
    # A float64 in between would round twice: just above a tie of float32, by less than float64 sees.
    value = 1 + Fraction(1, 2**24) + Fraction(1, 2**60)
    assert storing.round_fraction(value, "float32") == 1 + 2.0**-23
    assert float(np.float32(float(value))) == 1.0
    assert storing.round_fraction(Fraction(1, 2**1075) + Fraction(1, 2**1200), "float64") == 5e-324


def test_bfloat16_is_not_rounded_by_way_of_float32() -> None:
    value = np.array([1 + 2**-8 + 2**-40])
    assert float(storing.store(value, "bfloat16")[0]) == 1 + 2**-7
    assert float(value.astype(np.float32).astype(FORMATS["bfloat16"].dtype)[0]) == 1.0


def test_nonfinite_values_are_stored_and_overflow_is_refused() -> None:
    special = np.array([np.nan, np.inf, -np.inf])
    for storage in FORMATS:
        np.testing.assert_array_equal(storing.store(special, storage).astype(np.float64), special)
    for storage, value in (("float16", 65520.0), ("bfloat16", 3.4e38), ("float32", 1e39)):
        with pytest.raises(ValueError, match=f"overflow {storage}"):
            storing.store(np.array([value]), storage)
        assert np.isinf(storing.store(np.array([value]), storage, overflow=True).astype(np.float64)[0])
    with pytest.raises(ValueError, match="overflows float16"):
        storing.round_fraction(Fraction(70000), "float16")


# ---------------------------------------------------------------------------------------------- the catalogue


def test_levels_are_nested_and_ordered() -> None:
    quick, default, full = (featuremaps.cases(level) for level in featuremaps.LEVELS)
    assert set(quick) < set(default) < set(full)
    assert [c.name for c in full if c in set(default)] == [c.name for c in default]
    assert len({c.name for c in full}) == len(full)
    assert 20 <= len(quick) <= 30
    assert 110 <= len(default) <= 165
    assert {c.group for c in quick if c.group != "photo"} == set(featuremaps.GROUPS) - {"photo", "user"}
    assert featuremaps.cases() == default == featuremaps.cases("default", seed=9)


def test_the_default_study_stays_within_its_budget() -> None:
    work = sum(c.elements * len(c.storages) * len(c.norms) for c in DEFAULT)
    assert work < 120e6
    assert sum(len(c.storages) for c in DEFAULT if c.elements >= 2**24) <= 4
    assert max(c.elements for c in featuremaps.cases("quick")) <= 2**18
    quick = sum(c.elements * len(c.storages) * len(c.norms) for c in featuremaps.cases("quick"))
    assert quick < 5e6
    assert max(c.elements for c in featuremaps.cases("full")) == 2**30


def test_growth_goes_from_2_to_2_to_the_24() -> None:
    for family in ("normal", "offset"):
        sizes = [c.elements for c in DEFAULT if c.name.startswith(f"growth/{family}/")]
        assert sizes == sorted(sizes)
        assert (sizes[0], sizes[-1]) == (2, 2**24)
        assert max(b / a for a, b in itertools.pairwise(sizes)) <= 8


@pytest.mark.parametrize("case", featuremaps.cases("full"), ids=lambda c: c.name)
def test_every_case_explains_itself(case: featuremaps.Case) -> None:
    assert case.rationale.endswith((".", "?"))
    assert not re.search(r"[.?!]\s+[A-Z0-9]", case.rationale), "one sentence"
    assert case.rationale[0].isupper() or case.rationale[0].isdigit()
    assert case.name.split("/", maxsplit=1)[0] in {case.family, case.group}
    assert case.source == "" or case.source.startswith(("https://", "Chan", "Higham", "Kamat"))
    assert (case.observed != "") == (case.group == "museum")
    assert case.storages
    assert case.norms
    size = math.prod(case.shape)
    assert len(case.shape) == {"NCHW": 4, "NHWC": 4, "NC": 2}[case.layout]
    assert size == case.elements > 0


@pytest.mark.parametrize("case", MEDIUM, ids=lambda c: c.name)
def test_every_case_is_made_and_reduced(case: featuremaps.Case) -> None:
    for storage in case.storages:
        x = case.make(storage, 0)
        assert x.shape == case.shape
        assert x.dtype == FORMATS[storage].dtype
        assert x.flags.c_contiguous
        assert np.isfinite(x).all() == (case.family != "nonfinite")
    for norm in case.norms:
        groups = case.groups if norm == "group" else None
        view = views.view(x, norm, layout=case.layout, groups=groups)
        assert np.shares_memory(view, x)
        assert view.size == x.size


def test_cases_can_be_sent_to_another_process() -> None:
    for case in DEFAULT:
        copy = pickle.loads(pickle.dumps(case))
        assert copy == case
        if case.elements < 5000:
            storage = case.storages[0]
            assert copy.make(storage, 4).tobytes() == case.make(storage, 4).tobytes()


def test_unknown_things_are_named() -> None:
    with pytest.raises(featuremaps.UnknownCase, match=r"'museum/pytorch/pytorch#2471'.*pytorch#2470"):
        featuremaps.find("museum/pytorch/pytorch#2471")
    with pytest.raises(featuremaps.UnknownCase, match=r"'sawtooth'.*did you mean sawtooth/range-1"):
        featuremaps.find("sawtooth")
    with pytest.raises(featuremaps.UnknownCase, match=r"unknown: the cases of a level are listed by"):
        featuremaps.find("")
    with pytest.raises(ValueError, match=r"level='huge' is unknown: use one of quick, default, full"):
        featuremaps.cases("huge")
    with pytest.raises(ValueError, match=r"'ramp/slow' is not defined for storage 'float16': use float32 or float64"):
        featuremaps.find("ramp/slow").make("float16", 0)


def test_a_case_is_checked() -> None:
    case = featuremaps.find("normal/standard")
    fields = {name: getattr(case, name) for name in case.__dataclass_fields__}
    for change, message in (
        ({"layout": "CHWN"}, "layout 'CHWN' is not one of NCHW, NHWC, NC"),
        ({"norms": ("group",)}, "group norm needs a number of groups"),
        ({"storages": ("float8",)}, "storage 'float8' is not one of float16"),
    ):
        with pytest.raises(ValueError, match=message):
            featuremaps.Case(**(fields | change))
    wrong = featuremaps.Case(**(fields | {"shape": (1, 1, 1, 1)}))
    with pytest.raises(RuntimeError, match=r"made float32\[16, 4, 64, 64\], not float32\[1, 1, 1, 1\]"):
        wrong.make("float32", 0)


def test_importing_the_package_is_light() -> None:
    script = """if True:
        import sys, varkernels.formats
        before = set(sys.modules)
        import varstudy.study.featuremaps
        varstudy.study.featuremaps.cases()
        heavy = {"numba", "mpmath", "pandas", "matplotlib", "sklearn", "PIL", "scipy"}
        print(sorted(heavy & {name.partition(".")[0] for name in set(sys.modules) - before}))
    """
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'kernels'}", "PATH": ""},
    )
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------ condition numbers


SWEEP = [(c, s) for c in sweeps.kappa_sweep() for s in c.storages]


@pytest.mark.parametrize(("case", "storage"), SWEEP, ids=lambda v: getattr(v, "name", v))
def test_the_sweep_achieves_the_condition_number(case: featuremaps.Case, storage: str) -> None:
    """Within 8 % for every row: five standard errors of a sample of 4096 values are 5.5 %."""
    rows = rows_of(case, storage)
    for row in (rows[0], rows[-1]):
        achieved = math.sqrt(kappa_squared(row))
        assert achieved == pytest.approx(case.kappa_requested, rel=0.08)


def test_the_sweep_passes_the_unit_roundoff_of_every_storage() -> None:
    for storage, fmt in FORMATS.items():
        kappas = [c.kappa_requested for c in sweeps.kappa_sweep() if storage in c.storages]
        assert min(kappas) == 1
        assert max(kappas) > 8 / fmt.unit_roundoff
        assert max(kappas) <= families.offset_reach(storage, 4096)


def test_what_cannot_be_reached_is_refused() -> None:
    for kappa in (0.5, families.offset_reach("float32", 4096) * 1.01):
        with pytest.raises(ValueError, match="cannot be made in float32 with 4096 values a row"):
            families.offset("float32", Stream("x", 0), 1, 4096, kappa=kappa)
    with pytest.raises(ValueError, match="cannot be made exactly in bfloat16"):
        families.exact("bfloat16", Stream("x", 0), 1, 4096, kappa=1e3)


@pytest.mark.parametrize("storage", FORMATS)
def test_offsets_are_right_between_their_regimes(storage: str) -> None:
    """Where the normal sample hands over to the lattice, and the lattice to single ulps; and at the very
    end."""
    unit = 2.0 ** FORMATS[storage].precision
    reach = families.offset_reach(storage, 4096)
    for kappa in (
        unit / 4.1,
        unit / 3.9,
        unit / 2.1,
        unit / 1.9,
        unit / 1.1,
        unit,
        unit * 1.5,
        7 * unit,
        reach,
    ):
        rows = families.offset(storage, Stream("regimes", 0), 4, 4096, kappa=kappa)
        for row in rows:
            assert math.sqrt(kappa_squared(row)) == pytest.approx(kappa, rel=0.12)


def test_exact_families_are_exact() -> None:
    for case in (c for c in DEFAULT if c.family == "exact"):
        for storage in case.storages:
            for row in rows_of(case, storage)[::7]:
                mean, s = exact_moments(row)
                d = abs(Fraction(float(row[0])) - mean)
                assert s == len(row) * d * d
                assert mean % d == 0
                assert math.sqrt(kappa_squared(row)) == pytest.approx(case.kappa_requested, rel=1e-15)


FAMILIES = [c for c in DEFAULT if c.group == "families" and c.kappa_requested is not None]


@pytest.mark.parametrize("case", FAMILIES, ids=lambda c: c.name)
def test_families_achieve_the_condition_number(case: featuremaps.Case) -> None:
    storage = "float64" if "float64" in case.storages else "float32"
    row = rows_of(case, storage, "layer" if case.layout == "NHWC" else None)[0]
    if len(row) <= 2**12:
        kappa = math.sqrt(kappa_squared(row))
    else:  # a factor needs no exact sums, at condition numbers below 10^11
        x = row.astype(np.float64).tolist()
        mean = math.fsum(x) / len(x)
        kappa = math.sqrt(1 + len(x) * mean**2 / math.fsum((v - mean) ** 2 for v in x))
    assert kappa == pytest.approx(case.kappa_requested, rel=0.1)


@pytest.mark.parametrize("case", [c for c in MEDIUM if c.population_variance], ids=lambda c: c.name)
def test_population_variances(case: featuremaps.Case) -> None:
    x = np.concatenate([case.make(case.storages[-1], seed).astype(np.float64).ravel() for seed in range(3)])
    x = x[np.isfinite(x)]
    scale = math.sqrt(case.population_variance)
    # Five standard errors of the variance of a normal sample, generous for the others here.
    assert float((x / scale).var()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / x.size) + 3 / x.size)


# --------------------------------------------------------------------------------------------------- families


def test_ulp_lattice_alternates_between_neighbours() -> None:
    for storage in FORMATS:
        rows = rows_of(featuremaps.find("ulp-lattice/alternating"), storage)
        for row in rows:
            assert len(set(row.tolist())) == 2
            assert float(row[1]) > float(row[0])
            assert float(np.nextafter(row[0], row[1])) == float(row[1])
        assert len({float(row[0]) for row in rows}) == len(rows)


def test_steps_ramps_spikes_and_constants() -> None:
    step = rows_of(featuremaps.find("step/half"), "bfloat16")[0].astype(float)
    assert set(step[: len(step) // 2]) == {16.0}
    assert set(step[len(step) // 2 :]) == {17.0}
    ramp = featuremaps.find("ramp/slow").make("float32", 0)[0]
    assert ramp[0] == 2**20
    assert set(np.diff(ramp).tolist()) == {0.0, 0.125}
    constant = rows_of(featuremaps.find("constant/0.1"), "float32")[0]
    assert set(constant.tolist()) == {float(np.float32(0.1))}
    assert len(constant) % 2 == 1
    first, last = (featuremaps.find(f"spike/stagnation-{w}").make("float32", 0)[0] for w in ("first", "last"))
    assert first[0] == last[-1] == 8192
    assert set(first[1:].tolist()) == set(last[:-1].tolist()) == {-1.0, 1.0}
    assert families.spike_height("bfloat16") ** 2 + 1 == 1025  # an ulp of 8 there
    assert set(featuremaps.find("bright-image/uint8").make("bfloat16", 0).astype(float).ravel()) == {*range(250, 256)}


def test_a_running_mean_stalls_on_the_slow_ramp() -> None:
    """The published effect: Welford's float32 mean never moves, and the variance is four times too large."""
    x = featuremaps.find("ramp/slow").make("float32", 0)[0][:4096]
    mean, m2 = np.float32(0), np.float32(0)
    for n, v in enumerate(x, 1):
        d = v - mean
        mean = mean + d / np.float32(n)
        m2 = m2 + d * (v - mean)
    assert mean == x[0]
    assert Fraction(float(m2)) / exact_moments(x)[1] == pytest.approx(4, rel=0.01)


def test_ranges_overflow_and_underflow_as_they_say() -> None:
    for storage, fmt in FORMATS.items():
        squares = rows_of(featuremaps.find("overflow/squares"), storage)[0]
        s = exact_moments(squares)[1]
        assert all(Fraction(float(v)) ** 2 > fmt.largest for v in squares)
        assert s < fmt.largest
        spread = rows_of(featuremaps.find("overflow/spread"), storage)[0]
        s = exact_moments(spread)[1]
        assert s / len(spread) < fmt.largest < s
        small = rows_of(featuremaps.find("underflow/subnormal-squares"), storage)[0]
        s = exact_moments(small)[1]
        assert fmt.smallest_subnormal < s / len(small) < fmt.smallest_normal
        zero = rows_of(featuremaps.find("underflow/zero-squares"), storage)[0]
        assert all(Fraction(float(v)) ** 2 < fmt.smallest_subnormal / 2 for v in zero)
        assert exact_moments(zero)[1] > 0


def test_nonfinite_rows_are_where_they_are_said_to_be() -> None:
    rows = rows_of(featuremaps.find("nonfinite/nan-and-inf"), "float16").astype(np.float32)
    assert np.isnan(rows).sum(axis=1).tolist() == [0, 2, 0, 0]
    assert (rows == np.inf).sum(axis=1).tolist() == [0, 0, 1, 1]
    assert (rows == -np.inf).sum(axis=1).tolist() == [0, 0, 0, 1]


def test_published_experiments() -> None:
    names = [c.name for c in featuremaps.cases("full") if c.family == "kamat-nandi"]
    assert [n for n in names if "shift" in n] == [f"kamat-nandi/shift=1e{k:02d}" for k in range(1, 16)]
    assert [featuremaps.find(n).elements for n in names if "N=" in n] == [10**k for k in range(1, 9)]
    x = featuremaps.find("higham/three-values").make("float32", 0)[0]
    assert naive_variance(x, 1) == 0.0
    assert statistics.variance([Fraction(float(v)) for v in x]) == 1


def test_layouts_hold_the_same_map() -> None:
    for kind in ("relu", "bright"):
        nchw, nhwc = (featuremaps.find(f"norms/{kind}/{layout}") for layout in ("NCHW", "NHWC"))
        x, y = nchw.make("float32", 2), nhwc.make("float32", 2)
        np.testing.assert_array_equal(x, y.transpose(0, 3, 1, 2))
        for norm in nchw.norms:
            groups = nchw.groups if norm == "group" else None
            a = views.view(x, norm, groups=groups)
            b = views.view(y, norm, layout="NHWC", groups=groups)
            assert math.prod(a.shape) == math.prod(b.shape)
    relu = featuremaps.find("norms/relu/NCHW").make("float32", 0)
    assert (relu[:, -1] == 0).all()
    assert relu.min() == 0
    assert 0.2 < (relu == 0).mean() < 0.8


def test_bessel_samples_are_short_rows() -> None:
    for n in sweeps.BESSEL_COUNTS:
        case = featuremaps.find(f"bessel/n={n:04d}")
        assert case.corrections == (0.0, 1.0)
        assert rows_of(case, "float32").shape == (512, n)


# ----------------------------------------------------------------------------------------------------- museum


MUSEUM = [c for c in featuremaps.cases("full") if c.group == "museum"]
REFERENCES = {museum.reference(c.name) for c in MUSEUM} - {None}


def test_every_report_is_a_case_or_left_out_with_a_reason() -> None:
    assert len(REFERENCES | set(museum.LEFT_OUT)) == 63
    assert not REFERENCES & set(museum.LEFT_OUT)
    assert all(reason[0].islower() and len(reason) > 15 for reason in museum.LEFT_OUT.values())
    for ref in REFERENCES:
        assert f"museum/{ref}" in {c.name for c in MUSEUM}
        assert any(museum.reference(c.name) == ref for c in DEFAULT)
    assert [c.name for c in MUSEUM if museum.reference(c.name) is None] == ["museum/scikit-learn/stability-test"]


def test_the_collected_list_of_bugs_is_covered() -> None:
    path = SHARED / "wild_bugs.json"
    if not path.exists():
        pytest.skip("the collected list is not beside this checkout")
    bugs = {bug["ref"]: bug for bug in json.loads(path.read_text())}
    # What has no variance, such as local response normalisation, is left out with a reason, and on no such list.
    assert REFERENCES <= set(bugs) <= REFERENCES | set(museum.LEFT_OUT)
    for case in MUSEUM:
        ref = museum.reference(case.name)
        if ref is not None:
            assert case.source == bugs[ref]["url"]
            assert bugs[ref]["observed"] in case.observed


def make(name: str, seed: int = 0) -> np.ndarray:
    case = featuremaps.find(f"museum/{name}")
    return case.make(case.storages[0], seed)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("pytorch/pytorch#2470", [[2281.5, 2281.25]]),
        ("apache/tvm#19592", [[80000.0, 80001.0, 80002.0, 80003.0]]),
        ("apache/datafusion-comet#6044", [[1e16, 1e16 + 2]]),
        ("NVIDIA/cudf#16444", [[1577836800e9, 1609372800e9]]),
        ("NVIDIA/cudf#22391", [[sys.float_info.max]]),
        ("duckdb/duckdb#596", [[1e200, 0.0]]),
        ("joshday/OnlineStatsBase.jl#43", [[4_000_000_000, 4_000_000_100]]),
        ("elki-project/elki#81", [[150494407424305.47] * 12]),
        ("dask/dask#5725", [[-0.00179999999] * 5] * 2),
        ("BVLC/caffe#3963", [[[[100.0] * 3] * 3]]),
    ],
)
def test_museum_numbers(name: str, numbers: list[object]) -> None:
    np.testing.assert_array_equal(make(name), np.array(numbers))


def test_museum_sizes_are_the_reported_ones() -> None:
    sizes = {
        "pytorch/pytorch#54293": 8 * 72 * 256 * 256,
        "pytorch/pytorch#22192": 3 * (300**2 + 500**2),
        "jax-ml/jax#17792": 1048576,
        "numpy/numpy#14691": 2_000_000,
        "numpy/numpy#22956": 40_000_000,
        "numpy/numpy#21941": 100_000,
        "numba/numba#10647": 2**24 + 1,
        "numba/numba#9591": 10_000,
        "cupy/cupy#6439": 300_000_000,
        "pandas-dev/pandas#22385": 60_000,
        "boostorg/accumulators#26": 50_000,
        "deeplearning4j/deeplearning4j#9334": 160_000,
    }
    for name, size in sizes.items():
        assert featuremaps.find(f"museum/{name}").elements == size


def test_the_wild_results_are_seen_again() -> None:
    """What was observed, by the plain formula in the case's own dtype."""
    assert naive_variance(make("pytorch/pytorch#2470")[0], 1) == 0
    assert naive_variance(make("apache/tvm#19592")[0]) < -1e-5
    assert min(naive_variance(row) for row in make("jax-ml/jax#30426")) < -1e-5
    assert naive_variance(make("dask/dask#5725")[0]) < 0
    assert naive_variance(make("google/flax#1491")[:, 0].ravel()) < -1
    assert naive_variance(make("boostorg/accumulators#26")[0]) < -50
    ninth = np.float32(1) / np.float32(9)
    assert f"{running(make('BVLC/caffe#3963').ravel() * ninth):.6f}" == "100.000015"
    mean = running(make("pandas-dev/pandas#22385")[0]) / np.float32(60_000)
    assert abs(float(mean) - 1e6) == pytest.approx(354.9, rel=0.75)
    column = make("numpy/numpy#14691")[:, 0]
    assert abs(float(running(column) / np.float32(1e6)) - 100) == pytest.approx(1.32, abs=0.01)
    assert float(np.float16(2997)) == 2996  # the count that executorch casts
    ones = make("numpy/numpy#22956/reduced")[:, 0]
    assert float(running(ones)) == 2048
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isinf(running(make("pytorch/pytorch#44350")[0]))
        squares = make("numpy/numpy#21941")[0] ** 2
        assert np.isinf(np.add.reduce(squares, dtype=np.float16))
        assert np.isinf(make("neuroneural/brainchop-cli#56") ** 2).any()
    small = make("jax-ml/jax#17792")
    assert 0 < float(small[0, 0]) < 2**-14
    assert (make("pytorch/pytorch#197089/1e-30") ** 2 == 0).all()
    x = make("tensorflow/tensorflow#118701")
    assert abs(float(x.mean(dtype=np.float64)) - 1e4) < 1


def test_constant_channels_are_constant_and_differ() -> None:
    x = make("pytorch/pytorch#5410")
    assert (x == x[:, :, :1, :1]).all()
    assert len(set(x[0, :, 0, 0].tolist())) == 5
    assert 1e8 < np.abs(x).max() < 1e10
    rows = make("jax-ml/jax#30426")
    assert (rows == rows[:, :1]).all()


def test_rolling_windows_are_rows() -> None:
    x = make("pandas-dev/pandas#52407")
    np.testing.assert_array_equal(x[0], [0, 0, 3.16e-18])
    np.testing.assert_array_equal(x[1:, 0], x[:-1, 1])
    np.testing.assert_array_equal(x[-1], [5.4e-48, 1.4e-73, 0])


def test_scikit_learn_stability_data() -> None:
    case = featuremaps.find("museum/scikit-learn/stability-test")
    x = case.make("float64", 0)
    assert x.shape == (10_000, 2)
    assert set(x[:5000].ravel().tolist()) == {1e8}
    assert set(x[5000:].ravel().tolist()) == {float.fromhex("-0x1.7069e2aa2aa5bp+3")}
    assert x[-1, 0] == pytest.approx(math.log(1e-5), rel=1e-15)


# ------------------------------------------------------------------------------------------------------- NIST


NIST = [c for c in DEFAULT if c.group == "nist"]


def sample_variance(numbers: tuple[Fraction, ...]) -> Fraction:
    n, s1 = len(numbers), sum(numbers)
    return (sum(x * x for x in numbers) - s1 * s1 / n) / (n - 1)


def significant(value: Fraction, digits: int) -> str:
    """The square root of a rational to a number of significant digits, by integers."""
    shift = 2 * digits
    while math.isqrt(value.numerator * 10**shift // value.denominator) < 10 ** (digits + 5):
        shift += 2
    root = math.isqrt(value.numerator * 10**shift // value.denominator)
    text = str(root)
    rounded = str((int(text[: digits + 1]) + 5) // 10)
    return f"{rounded}e{len(text) - digits - shift // 2}"


def test_nist_decimals_have_the_certified_moments() -> None:
    want = {
        "NumAcc1": (Fraction(10_000_002), Fraction(1)),
        "NumAcc2": (Fraction("1.2"), Fraction("0.01")),
        "NumAcc3": (Fraction("1000000.2"), Fraction("0.01")),
        "NumAcc4": (Fraction("10000000.2"), Fraction("0.01")),
    }
    for case in NIST:
        data = case.decimals()
        assert data is not None
        assert len(data) == case.elements
        name = case.name.removeprefix("nist/")
        if name in want:
            assert (sum(data) / len(data), sample_variance(data)) == want[name]
        else:
            assert sum(data) / len(data) == Fraction("4.5348")
            assert significant(sample_variance(data), 15) == "286733906028871e-14"
    assert all(c.decimals() is None for c in DEFAULT if c.group != "nist")


def test_pi_has_nists_deviation_and_no_other() -> None:
    with mpmath.workdps(5020):
        true = [int(d) for d in mpmath.nstr(mpmath.pi, 5010).replace(".", "")[:5000]]
    digits = [int(d) for d in nist.pi_digits()]
    assert [i for i, (a, b) in enumerate(zip(true, digits, strict=True)) if a != b] == [956]
    assert (true[956], digits[956]) == (8, 3)


@pytest.mark.parametrize("case", NIST, ids=lambda c: c.name)
def test_nist_data_are_stored_by_one_rounding(case: featuremaps.Case) -> None:
    data = case.decimals()
    assert data is not None
    for storage in case.storages:
        x = case.make(storage, 0).ravel().astype(np.float64)
        for exact, stored in list(zip(data, x, strict=True))[:20]:
            step = Fraction(2) ** (math.frexp(stored)[1] - FORMATS[storage].precision) if stored else 0
            assert abs(Fraction(float(stored)) - exact) <= step / 2
    if "float64" in case.storages:
        np.testing.assert_array_equal(case.make("float64", 0).ravel(), [float(v) for v in data])


@pytest.mark.parametrize("case", NIST, ids=lambda c: c.name)
def test_nist_files_agree_value_by_value(case: featuremaps.Case) -> None:
    name = case.name.removeprefix("nist/")
    path = SHARED / "nist" / f"{name}.dat"
    if not path.exists():
        pytest.skip("NIST's files are not beside this checkout")
    lines = path.read_text().splitlines()
    start = max(i for i, line in enumerate(lines) if line.startswith("-----")) + 1
    listed = tuple(Fraction(line.strip()) for line in lines[start:] if line.strip())
    assert case.decimals() == listed
    certified = json.loads((SHARED / "nist" / "certified.json").read_text())[name]
    assert len(listed) == certified["n"]
    assert sum(listed) / len(listed) == Fraction(certified["mean_exact_50"])
    assert case.kappa_requested == pytest.approx(float(certified["kappa_exact"]), rel=1e-9)
    for storage, key in (("float64", "sd_of_fp64_rounded"), ("float32", "sd_of_fp32_rounded")):
        if storage in case.storages:
            stored = tuple(Fraction(float(v)) for v in case.make(storage, 0).ravel())
            want = Fraction(certified[key])
            got = sample_variance(stored)
            assert abs(got - want**2) <= 2 * want**2 / 10**35


# ----------------------------------------------------------------------------------------------------- photos


def test_photos_are_listed_only_with_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "find_spec", lambda name: None)
    assert photos.cases() == ()
    assert not photos.available()
    with pytest.raises(FileNotFoundError, match=r"pip install 'varstudy\[photos\]'"):
        photos._pixels("china")


@pytest.mark.skipif(not photos.available(), reason="the extra 'photos' is not installed")
def test_photos_are_photographs() -> None:
    raw = featuremaps.find("photo/both/uint8").make("float32", 0)
    assert raw.shape == (2, 3, 224, 224)
    np.testing.assert_array_equal(raw, raw.astype(np.uint8))
    assert 50 < raw.std() < 100
    np.testing.assert_array_equal(
        featuremaps.find("photo/china/uint8").make("bfloat16", 0)[0].astype(np.float32), raw[0]
    )
    normalised = featuremaps.find("photo/both/normalised").make("float32", 0)
    want = (raw[1, 2].astype(np.float64) / 255 - 0.406) / 0.225
    np.testing.assert_array_equal(normalised[1, 2], want.astype(np.float32))

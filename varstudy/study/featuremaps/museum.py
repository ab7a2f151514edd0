"""The museum: bugs from the wild, each with its input rebuilt, under its project and number.

A case is named ``museum/<owner>/<repository>#<number>``; where a report has several inputs, or where its own
is too large for the default study, a word follows. `LEFT_OUT` names the reports that have no case, and why.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from varkernels.formats import FORMATS

from .case import DEFAULT, FULL, QUICK, Array, Case
from .families import constant, normal, two_pieces, uniform, values
from .storing import Maker, fill, generator, indices, store
from .streams import Floats, Stream

__all__ = ["LEFT_OUT", "cases", "reference"]

_CONVENTION = "about a convention (Bessel's correction, running variance), not about the arithmetic of a variance"
_NO_INPUT = "the report names no input"

LEFT_OUT: dict[str, str] = {
    "pytorch/pytorch#1410": _CONVENTION,
    "pytorch/pytorch#1381": _CONVENTION,
    "tensorflow/tensorflow#34062": _CONVENTION,
    "tensorflow/tensorflow#55545": _CONVENTION,
    "apache/mxnet#21111": _CONVENTION,
    "BVLC/caffe#3299": _NO_INPUT,
    "FluxML/Flux.jl#1992": _CONVENTION,
    "tenstorrent/tt-metal#55438": _CONVENTION,
    "ml-explore/mlx#3817": _CONVENTION,
    "patrick-kidger/equinox#314": _NO_INPUT,
    "keras-team/keras#18795": _NO_INPUT,
    "tensorflow/tensorflow#3290": "the report gives a log of the variances, not the input",
    "tenstorrent/tt-metal#43673": "the input is made by an attached script that is not part of the report",
    "microsoft/onnxruntime#10079": "the input is a whole model",
    "NVIDIA/TensorRT#2564": "the input is a whole model (BERT)",
    "pola-rs/polars#4301": "the input is an attached file",
    "ClickHouse/ClickHouse#10532": "the input is private",
    "apache/datafusion#13247": "state merge (two empty states): covered by the tests of the merge verb",
}
"""References without a case, and the reason."""


def reference(name: str) -> str | None:
    """The ``owner/repository#number`` of a museum case's name; None for other names."""
    parts = name.split("/")
    return "/".join(parts[1:3]) if parts[0] == "museum" and "#" in name else None


# ------------------------------------------------------------------------------------------ makers of its own


def _per_storage(storage: str, stream: Stream, rows: int, length: int, *, numbers: dict[str, float]) -> Array:
    """A constant that differs by storage."""
    return constant(storage, stream, rows, length, number=numbers[storage])


def _one_draw_a_row(storage: str, stream: Stream, rows: int, length: int, *, mean: float, sigma: float) -> Array:
    """Each row is one number, mean + sigma z, repeated."""
    column = store(mean + sigma * stream.normal(rows), storage)
    return np.ascontiguousarray(np.broadcast_to(column[:, None], (rows, length)))


def _constant_channels(storage: str, stream: Stream, rows: int, length: int, *, scale: float) -> Array:
    """Each row is one number, scale U(-1, 1), repeated."""
    column = store((2.0 * stream.uniform(rows) - 1.0) * scale, storage)
    return np.ascontiguousarray(np.broadcast_to(column[:, None], (rows, length)))


def _columns(storage: str, stream: Stream, rows: int, length: int, *, numbers: tuple[float, ...]) -> Array:
    """Row r is the r-th number, repeated."""
    return np.ascontiguousarray(np.broadcast_to(store(np.array(numbers), storage)[:, None], (rows, length)))


def _first_then_zeros(storage: str, stream: Stream, rows: int, length: int, *, first: float) -> Array:
    """`first` at the start of row 0, zero everywhere else."""
    x = np.zeros((rows, length), FORMATS[storage].dtype)
    x[0, 0] = first
    return x


def _windows(storage: str, stream: Stream, rows: int, length: int, *, series: tuple[float, ...]) -> Array:
    """The windows of a series, one a row."""
    x = store(np.array(series), storage)
    return np.stack([x[r : r + length] for r in range(rows)])


def _synthetic_image(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """255 almost everywhere, with rectangles of 254 and 253: a flat drawing, bright and nearly constant."""

    def block(row: int, start: int, stop: int) -> Floats:
        pixel = indices(start, stop) % (256 * 256)
        y, x = pixel // 256, pixel % 256
        first = (y >= 40) & (y < 72) & (x >= 40 + 8 * row) & (x < 104)
        second = (y >= 160) & (y < 176) & (x >= 96) & (x < 224)
        return 255.0 - first - 2.0 * second

    return fill(storage, rows, length, block)


def _shifted_ramps(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """base + (i mod 7), one base a row: 0, 10^6, 2 10^9."""
    bases = (0.0, 1e6, 2e9)
    return fill(storage, rows, length, lambda r, a, b: bases[r] + indices(a, b) % 7)


def _near_constant(storage: str, stream: Stream, rows: int, length: int) -> Array:
    """Row r: 1 + 10^(r - 30) in the first half, 1 - 10^(r - 30) in the second."""
    scales = [float(f"1e{r - 30}") for r in range(rows)]
    return fill(
        storage,
        rows,
        length,
        lambda r, a, b: 1.0 + scales[r] * np.where(indices(a, b) < length // 2, 1.0, -1.0),
    )


def _two_halves(storage: str, stream: Stream, rows: int, length: int, *, halves: tuple[float, float]) -> Array:
    """One number in the first half of each row, another in the second."""
    return fill(storage, rows, length, lambda _, a, b: np.where(indices(a, b) < length // 2, *halves))


# -------------------------------------------------------------------------------------------------- the cases


def _bug(
    ref: str,
    maker: Maker,
    shape: tuple[int, ...],
    norm: str,
    storages: tuple[str, ...],
    observed: str,
    rationale: str,
    *,
    variant: str = "",
    layout: str = "NC",
    groups: int | None = None,
    norms: tuple[str, ...] = (),
    corrections: tuple[float, ...] = (0.0,),
    kappa: float | None = None,
    sigma2: float | None = None,
    levels: frozenset[str] = DEFAULT,
) -> Case:
    """`norm` says what the maker fills: channels (batch), lines of (N, C) (layer), or the whole array."""
    repository, number = ref.split("#")
    return Case(
        name=f"museum/{ref}" + (f"/{variant}" if variant else ""),
        family="museum",
        group="museum",
        shape=shape,
        layout=layout,
        norms=norms or (norm,),
        groups=groups,
        storages=storages,
        rationale=rationale,
        source=f"https://github.com/{repository}/issues/{number}",
        observed=observed,
        levels=levels,
        kappa_requested=kappa,
        population_variance=sigma2,
        corrections=corrections,
        generate=generator(maker, norm, shape, layout),
    )


F16 = ("float16",)
F32 = ("float32",)
F64 = ("float64",)


def _deep_learning() -> tuple[Case, ...]:
    return (
        _bug(
            "pytorch/pytorch#2470",
            partial(values, numbers=(2281.5, 2281.25)),
            (1, 2),
            "flat",
            F32,
            "var(dim)=0, true 0.03125",
            "Two numbers a quarter apart: float32 rounds both squares, and their difference is nothing but rounding.",
            corrections=(1.0,),
            levels=QUICK,
        ),
        _bug(
            "pytorch/pytorch#51102",
            partial(normal, mean=2000.0),
            (5, 4),
            "layer",
            F32,
            "output var up to 48425, should be ~1",
            "Layer norm of four values round 2000 by raw sums: the variance cancels to next to nothing, "
            "and the output blows up.",
            kappa=math.sqrt(1.0 + 4e6),
            sigma2=1.0,
        ),
        _bug(
            "pytorch/pytorch#54293",
            uniform,
            (1, 8, 18432, 256),
            "flat",
            F32,
            "CPU vs GPU GroupNorm differ 0.0121; Welford only got to 0.0030",
            "One of the report's four groups, 37.7 million uniform values: a running float32 sum of that "
            "length has lost two digits even of easy data.",
            layout="NCHW",
            groups=1,
            norms=("group",),
            sigma2=1.0 / 12.0,
            levels=FULL,
        ),
        _bug(
            "pytorch/pytorch#54293",
            uniform,
            (1, 8, 256, 256),
            "flat",
            F32,
            "CPU vs GPU GroupNorm differ 0.0121; Welford only got to 0.0030",
            "The same group at a 72nd of its size, for the default study: the error grows with the length, "
            "so it is much smaller here.",
            variant="reduced",
            layout="NCHW",
            groups=1,
            norms=("group",),
            sigma2=1.0 / 12.0,
        ),
        _bug(
            "pytorch/pytorch#5410",
            partial(_constant_channels, scale=1e10),
            (1, 5, 10, 10),
            "batch",
            F32,
            "BN output +-1 instead of 0",
            "Channels that are constant at up to 10^10: the sum of 100 equal values is rounded, so every "
            "value seems to deviate from the mean, all by the same amount.",
            layout="NCHW",
            levels=QUICK,
        ),
        _bug(
            "pytorch/pytorch#44350",
            partial(_per_storage, numbers={"float16": 40000.0, "float32": 3e38}),
            (1, 3),
            "flat",
            ("float16", "float32"),
            "mean=inf, var nan/inf",
            "Three equal values near the largest of the format: already their sum overflows, though mean "
            "and variance are ordinary.",
        ),
        _bug(
            "pytorch/pytorch#178123",
            partial(normal, sigma=1e30),
            (2, 8, 8, 8),
            "batch",
            F32,
            "CPU zeros, CUDA NaN",
            "Values of magnitude 10^30, whose squared deviations overflow float32 in every norm (the "
            "report gives no shape: this one is ours).",
            layout="NCHW",
            groups=2,
            norms=("batch", "layer", "instance", "group"),
            sigma2=1e60,
        ),
        _bug(
            "pytorch/pytorch#197089",
            partial(normal, mean=1e5),
            (1, 65_536),
            "flat",
            F32,
            "inf; 0 with zero gradient; rel.err 3e-3 vs 5e-8",
            "Values of spread 1 round 10^5, the third of the report's inputs: compiled code accumulates in "
            "float32 where the eager code uses float64 (the length is ours).",
            kappa=math.sqrt(1.0 + 1e10),
            sigma2=1.0,
        ),
        _bug(
            "pytorch/pytorch#197089",
            partial(normal, sigma=1e30),
            (1, 4096),
            "flat",
            F32,
            "inf; 0 with zero gradient; rel.err 3e-3 vs 5e-8",
            "Values of scale 10^30, the first of the report's inputs: the squares overflow float32 (the "
            "length is ours).",
            variant="1e30",
            sigma2=1e60,
        ),
        _bug(
            "pytorch/pytorch#197089",
            partial(normal, sigma=1e-30),
            (1, 4096),
            "flat",
            F32,
            "inf; 0 with zero gradient; rel.err 3e-3 vs 5e-8",
            "Values of scale 10^-30, the second of the report's inputs: the squares underflow to zero in "
            "float32 (the length is ours).",
            variant="1e-30",
            sigma2=1e-60,
        ),
        _bug(
            "pytorch/pytorch#66707",
            partial(uniform, width=0.1),
            (5, 128),
            "layer",
            F16,
            "45% elements mismatch vs fp32",
            "Layer norm computed in float16 throughout: 128 uniform values below 0.1, whose variance of "
            "0.0008 has few digits in that format.",
            sigma2=0.01 / 12.0,
        ),
        _bug(
            "pytorch/pytorch#22192",
            partial(two_pieces, first=300 * 300, means=(0.0, 1.0), sigmas=(1.0, 2.0)),
            (300 * 300 + 500 * 500, 3),
            "batch",
            F32,
            "running_var wrong",
            "What two devices hold together, 300 x 300 and 500 x 500 pixels of different distributions: "
            "the merge must weigh them by their counts (as one array; the merge itself is tested apart; "
            "the distributions are ours).",
        ),
        _bug(
            "google/flax#1491",
            _synthetic_image,
            (4, 3, 256, 256),
            "batch",
            F32,
            "NaN in BatchNorm",
            "Large synthetic images, bright and almost constant, make E[x^2] - E[x]^2 negative (the report "
            "shows no image: this drawing is ours).",
            layout="NCHW",
        ),
        _bug(
            "jax-ml/jax#30426",
            partial(_one_draw_a_row, mean=-11.0, sigma=2e-6),
            (64, 3),
            "layer",
            F32,
            "jax.nn.standardize -> [nan,nan,nan]",
            "Three equal values near -11, one small random number added to all three: the one-pass "
            "variance goes below minus epsilon (64 draws of the report's one).",
        ),
        _bug(
            "jax-ml/jax#17792",
            partial(constant, number=1e-5),
            (1 << 20, 1),
            "batch",
            F16,
            "mean 0.0, should be 1e-5",
            "A million float16 values of 10^-5, a subnormal: the count itself overflows float16, and any sum "
            "divided by it is 0.",
        ),
        _bug(
            "tensorflow/tensorflow#25115",
            partial(normal, mean=1e4),
            (16, 4, 16, 16),
            "batch",
            F32,
            "catastrophic relative error",
            "Mean over standard deviation of 10^4, the ratio that the rejected patch names: kappa^2 u is "
            "then above 1 (the shape is ours).",
            layout="NCHW",
            kappa=math.sqrt(1.0 + 1e8),
            sigma2=1.0,
        ),
        _bug(
            "tensorflow/tensorflow#118701",
            partial(normal, mean=1e4),
            (4, 3, 32, 32),
            "batch",
            F32,
            "negative variance -> NaN",
            "Three channels in NCHW order offset by 10^4, where the report first sees NaN (its offset; the "
            "shape is ours).",
            layout="NCHW",
            kappa=math.sqrt(1.0 + 1e8),
            sigma2=1.0,
        ),
        _bug(
            "tensorflow/tensorflow#118701",
            partial(normal, mean=1e7),
            (4, 32, 32, 1),
            "batch",
            F32,
            "negative variance -> NaN",
            "One channel in NHWC order offset by 10^7, where the report first sees NaN for that layout "
            "(the shape is ours).",
            variant="NHWC-1",
            layout="NHWC",
            kappa=math.sqrt(1.0 + 1e14),
        ),
        _bug(
            "tensorflow/tensorflow#118701",
            partial(normal, mean=1e5),
            (4, 32, 32, 8),
            "batch",
            F32,
            "negative variance -> NaN",
            "Eight channels in NHWC order offset by 10^5, where the report first sees NaN for them (the "
            "shape is ours).",
            variant="NHWC-8",
            layout="NHWC",
            kappa=math.sqrt(1.0 + 1e10),
            sigma2=1.0,
        ),
        _bug(
            "BVLC/caffe#3963",
            partial(constant, number=100.0),
            (1, 1, 3, 3),
            "batch",
            F32,
            "output ~-0.00483 not 0",
            "Nine values of 100, each multiplied by a rounded 1/9 and then added up: the mean is 100.000015, "
            "and the output is not 0.",
            layout="NCHW",
        ),
        _bug(
            "apache/tvm#19592",
            partial(values, numbers=(80000.0, 80001.0, 80002.0, 80003.0)),
            (1, 4),
            "layer",
            F32,
            "NaN",
            "Four consecutive integers near 80,000: their squares need 33 bits, and the one-pass variance "
            "goes negative.",
            kappa=math.sqrt(1.0 + 80001.5**2 / 1.25),
            levels=QUICK,
        ),
        _bug(
            "triton-lang/triton#9838",
            normal,
            (64, 3),
            "layer",
            F32,
            "wrong variance (n_cols=3, block 4: 95.3% error; 17, block 32: 83.4%)",
            "Rows of 3 in blocks of 4: the padded zero deviates from the mean by the mean, and adds its "
            "square (the distribution is ours).",
            sigma2=1.0,
        ),
        _bug(
            "triton-lang/triton#9838",
            normal,
            (64, 17),
            "layer",
            F32,
            "wrong variance (n_cols=3, block 4: 95.3% error; 17, block 32: 83.4%)",
            "Rows of 17 in blocks of 32: fifteen padded zeros, each adding the square of the mean (the "
            "distribution is ours).",
            variant="17",
            sigma2=1.0,
        ),
        _bug(
            "linkedin/Liger-Kernel#518",
            partial(normal, mean=1.0),
            (32, 768),
            "layer",
            F32,
            "wrong variance",
            "Rows of 768 in blocks of 1024: a quarter of the lanes is padding, each adding the square of "
            "the mean (the distribution is ours).",
            sigma2=1.0,
        ),
        _bug(
            "NVIDIA/apex#1768",
            uniform,
            (1, 100, 100, 65),
            "batch",
            F32,
            "wrong mean/var",
            "65 channels in channels-last order, not a power of two: the last channel's lanes were merged wrongly.",
            layout="NHWC",
            sigma2=1.0 / 12.0,
        ),
        _bug(
            "microsoft/onnxruntime#29034",
            partial(uniform, low=-8000.0, width=16000.0),
            (4, 896),
            "layer",
            F16,
            "overflow",
            "Rows of float16 values beyond 7600, whose squares overflow even when divided by the hidden "
            "size first (896 is the size that the report's threshold implies; the distribution is ours).",
            sigma2=16000.0**2 / 12.0,
        ),
        _bug(
            "neuroneural/brainchop-cli#56",
            partial(normal, sigma=200.0),
            (1, 24, 16, 16),
            "flat",
            F16,
            "inf variance",
            "Activations beyond 256 squared in float16 before any accumulation in float32: one overflow "
            "spoils the group (24 channels as in the report's model; the size is ours).",
            layout="NCHW",
            groups=24,
            norms=("group",),
            sigma2=40000.0,
        ),
        _bug(
            "pytorch/executorch#16727",
            partial(normal, mean=1.0, sigma=4.0),
            (2, 6, 27, 37),
            "flat",
            F16,
            "wrong mean/var",
            "2997 values a group: cast to float16 the count becomes 2996, and every mean is off (an odd "
            "size above 2048 that we chose).",
            layout="NCHW",
            groups=2,
            norms=("group",),
            sigma2=16.0,
        ),
        _bug(
            "deeplearning4j/deeplearning4j#9334",
            partial(constant, number=1.0),
            (16, 1, 100, 100),
            "flat",
            F16,
            "NaN",
            "160,000 ones: float16 holds neither their sum nor their count, and their quotient is NaN.",
            layout="NCHW",
        ),
    )


def _array_libraries() -> tuple[Case, ...]:
    reduced = "(the mechanism at a small size: float16 stagnates at 2048 ones as float32 does at 16.8 million)"
    return (
        _bug(
            "numpy/numpy#14691",
            partial(_columns, numbers=(100.0, -100.0)),
            (1_000_000, 2),
            "batch",
            F32,
            "std(axis=0)=[1.32,1.32], true 0",
            "Two constant columns: along the first axis the sum is a running one, not pairwise, and the "
            "mean of a million equal values is not that value.",
        ),
        _bug(
            "numpy/numpy#22956",
            partial(constant, number=1.0),
            (20_000_000, 2),
            "batch",
            F32,
            "0.8388608",
            "Twenty million ones: a running float32 sum stops growing at 2^24.",
            levels=FULL,
        ),
        _bug(
            "numpy/numpy#22956",
            partial(constant, number=1.0),
            (2500, 2),
            "batch",
            F16,
            "0.8388608",
            f"Columns of ones, too many for a running sum {reduced}.",
            variant="reduced",
        ),
        _bug(
            "numpy/numpy#21941",
            normal,
            (1, 100_000),
            "flat",
            F16,
            "inf",
            "100,000 standard normal values: the sum of their squares is beyond 65,504, float16's largest number.",
            sigma2=1.0,
        ),
        _bug(
            "numba/numba#10647",
            partial(_first_then_zeros, first=2.0**24 - 1.0),
            (1, 2**24 + 1),
            "flat",
            F32,
            "divides by 2^24 not 2^24+1",
            "2^24 + 1 values, one of them not zero: the count itself is no float32 number, and dividing by "
            "its cast gives the wrong mean.",
        ),
        _bug(
            "numba/numba#9591",
            uniform,
            (1, 10_000),
            "flat",
            F32,
            "differs from numpy beyond isclose",
            "10,000 uniform values: a plain running float32 sum against numpy's pairwise one.",
            sigma2=1.0 / 12.0,
        ),
        _bug(
            "cupy/cupy#6439",
            partial(constant, number=1.0),
            (1, 300_000_000),
            "flat",
            F32,
            "sum 2.684e8",
            "300 million ones, summed in parallel by threads whose partial sums stagnate.",
            levels=FULL,
        ),
        _bug(
            "cupy/cupy#6439",
            partial(constant, number=1.0),
            (1, 36_000),
            "flat",
            F16,
            "sum 2.684e8",
            f"Ones, too many even for parallel partial sums {reduced}.",
            variant="reduced",
        ),
        _bug(
            "pandas-dev/pandas#22385",
            partial(constant, number=1e6),
            (1, 60_000),
            "flat",
            F32,
            "std 354.9",
            "60,000 equal values of a million: the rounded mean is far off, and the deviation with it.",
            corrections=(0.0, 1.0),
        ),
        _bug(
            "pandas-dev/pandas#52407",
            partial(_windows, series=(0.0, 0.0, 3.16e-18, 2.96e-16, 2.2e-51, 0.0, 0.0, 5.4e-48, 1.4e-73, 0.0)),
            (8, 3),
            "layer",
            F64,
            "var=-5.47e-48",
            "The windows of a rolling variance as rows: values of 10^-16 leave the window and their "
            "rounding errors stay (a fresh sum of each window has nothing to remember).",
            corrections=(1.0,),
        ),
        _bug(
            "pandas-dev/pandas#42064",
            partial(_first_then_zeros, first=1000.0),
            (991, 10),
            "layer",
            F64,
            "std 4e-6",
            "The windows of a rolling deviation as rows: an outlier leaves the window and a residue stays "
            "for good (a fresh sum of each window has nothing to remember).",
            corrections=(1.0,),
        ),
        _bug(
            "dask/dask#5725",
            partial(constant, number=-0.00179999999),
            (2, 5),
            "layer",
            F64,
            "NaN",
            "Two groups of five equal values: the one-pass variance is a tiny negative number, and its root NaN.",
            corrections=(1.0,),
        ),
        _bug(
            "scikit-learn/scikit-learn#5602",
            partial(constant, number=1.7976931348623157e308 / 1e5),
            (500_000, 1),
            "batch",
            F64,
            "inf mean",
            "500,000 equal values near 10^303: the running sum overflows though the mean does not (100 "
            "times the report's value, in place of its 100 batches).",
        ),
        _bug(
            "scikit-learn/scikit-learn#19726",
            _near_constant,
            (100, 50),
            "batch",
            F64,
            "threshold",
            "Fifty columns 1 +- 10^k, from constant to spread wide: where does a computed variance stop "
            "telling a small spread from none (the data of the project's own test)?",
        ),
        Case(
            name="museum/scikit-learn/stability-test",
            family="museum",
            group="museum",
            shape=(10_000, 2),
            layout="NC",
            norms=("batch",),
            storages=F64,
            rationale="The data of scikit-learn's own stability test, half 10^8 and half log(10^-5): it "
            "takes float64 np.var as the truth, which is farther off than the update that the test calls "
            "unstable.",
            source="https://github.com/scikit-learn/scikit-learn/blob/main/sklearn/utils/tests/test_extmath.py",
            observed="errors against exact rationals: the test's reference 430, the 'naive' update 6.6, "
            "the 'robust' Youngs-Cramer 253",
            levels=DEFAULT,
            kappa_requested=math.sqrt(2.0),
            generate=generator(partial(_two_halves, halves=(1e8, -11.512925464970229)), "batch", (10_000, 2), "NC"),
        ),
        _bug(
            "boostorg/accumulators#26",
            partial(normal, mean=500.0, sigma=0.01),
            (1, 50_000),
            "flat",
            F32,
            "-79.92",
            "50,000 values of spread 0.01 round 500 by raw float sums: the variance comes out as -80.",
            kappa=math.sqrt(1.0 + 50_000.0**2),
            sigma2=1e-4,
        ),
        _bug(
            "elki-project/elki#81",
            partial(constant, number=150494407424305.47),
            (1, 12),
            "flat",
            F64,
            "5.4e-05 (Welford gives 0)",
            "Twelve equal values: Youngs and Cramer's update multiplies the sum by a rounded factor, and "
            "finds a variance where there is none.",
            levels=QUICK,
        ),
        _bug(
            "joshday/OnlineStatsBase.jl#43",
            partial(values, numbers=(4_000_000_000.0, 4_000_000_100.0)),
            (1, 2),
            "flat",
            F64,
            "var=-3.7e19",
            "Two integers whose squares overflow int64; in float64 they cancel instead (the integers "
            "converted exactly).",
            corrections=(1.0,),
        ),
    )


def _databases() -> tuple[Case, ...]:
    return (
        _bug(
            "NVIDIA/cudf#16444",
            partial(values, numbers=(1577836800e9, 1609372800e9)),
            (1, 2),
            "flat",
            F64,
            "~1000 ULP",
            "Two time stamps in nanoseconds, a year apart: 50 times farther from zero than from each other.",
            corrections=(0.0, 1.0),
        ),
        _bug(
            "NVIDIA/cudf#22391",
            partial(constant, number=1.7976931348623157e308),
            (1, 1),
            "flat",
            F64,
            "NaN",
            "One value, the largest double, merged into an empty state: the difference of the means "
            "overflows and is multiplied by a count of 0 (as an array of one value, which leaves all other "
            "lanes empty).",
        ),
        _bug(
            "apache/datafusion-comet#6044",
            partial(values, numbers=(1e16, 1e16 + 2.0)),
            (1, 2),
            "flat",
            F64,
            "var_pop 2.0 instead of 1.0",
            "Two neighbouring doubles: their mean is no double, and the two forms of Welford's update "
            "differ by a factor of two.",
            levels=QUICK,
        ),
        _bug(
            "duckdb/duckdb#596",
            partial(values, numbers=(1e200, 0.0)),
            (1, 2),
            "flat",
            F64,
            "no row / error",
            "A deviation of 10^200, whose square is beyond every double: the exact variance is too.",
        ),
        _bug(
            "RayforceDB/rayforce#554",
            _shifted_ramps,
            (3, 7000),
            "layer",
            F64,
            "stddev 2.0,2.0,0.0",
            "The residues mod 7 on three offsets: shifting data must not change their variance of 4 (the "
            "length is ours).",
        ),
    )


def cases() -> tuple[Case, ...]:
    """The cases of the group ``museum``, in a fixed order."""
    return (*_deep_learning(), *_array_libraries(), *_databases())

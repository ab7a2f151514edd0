# %% [markdown]
# # 2. Four ways to a variance
#
# **The question.** Four formulas are the same number in real arithmetic and four different ones in float32. Each is
# recommended somewhere as the safe one. For each: where does it come from, what is its weak spot, and what feature map
# finds it?
#
# Look for the diagonal in the first figure: every formula fails on a map of its own, on which most of the others do well.
#
# **After this you can**
#
# - derive four formulas of the variance, and say what each of them loses;
# - name a feature map that breaks each;
# - predict whether a map of your own is dangerous, and to which formula.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import varkernels
from varstudy.study import featuremaps
from varstudy.study.featuremaps.families import biased_rounding, offset, spike
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact, digits
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

# %% [markdown]
# ## The four, derived
#
# With the mean $m = \frac1n\sum x_i$, the wanted number is $S = \sum (x_i - m)^2$; the variance is $S/n$, or $S/(n-1)$.
#
# **Naive.** Multiply out: $\sum (x_i-m)^2 = \sum x_i^2 - 2m\sum x_i + n m^2$, so
#
# $$S = \sum x_i^2 - \tfrac1n\Big(\sum x_i\Big)^2 .$$
#
# Two sums in one pass. Each errs by a multiple of $u\sum x_i^2$, and what remains after the subtraction is smaller by
# $\kappa^2 = \sum x_i^2 / S$: the relative error grows like $\kappa^2 u$.
#
# **Shifted.** $S$ does not change when every value is moved by $c$. With $d_i = x_i - c$, $S = \sum d_i^2 - \frac1n(\sum
# d_i)^2$, whose condition number $\kappa_c^2 = \sum d_i^2/S$ is near 1 for a $c$ near the mean. The cheapest $c$ is the
# first value. Chan, Golub and LeVeque (1983, [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115)),
# section 3, show that any value of the data gives $\kappa_c \le \sqrt n$.
#
# **Two-pass.** The definition itself: first $m$, then the squares. But what the second pass uses is a computed mean
# $\hat m$, and
#
# $$\sum (x_i-\hat m)^2 = S + n\,(\hat m-m)^2 ,$$
#
# so the error of the mean comes in squared, times $n$.
#
# **Welford** (1962, [doi:10.1080/00401706.1962.10490022](https://doi.org/10.1080/00401706.1962.10490022)). From the mean
# and $S$ of the first $n-1$ values to those of $n$, by the difference $d = x_n - m_{n-1}$:
#
# $$m_n = m_{n-1} + \frac dn, \qquad S_n = S_{n-1} + d\,(x_n - m_n).$$
#
# Nothing cancels. But $m_n$ is a running mean, and once $d/n$ is smaller than half the spacing of float32 at $m$, it does
# not move any more.
#
# ## Twenty lines

# %%
def naive(x):
    s = q = x.dtype.type(0)
    for v in x:
        s, q = s + v, q + v * v
    return q - s * s / x.dtype.type(len(x))


def shifted_first(x):
    return naive(x - x[0])


def two_pass(x):
    s = q = x.dtype.type(0)
    for v in x:
        s += v
    m = s / x.dtype.type(len(x))
    for v in x:
        q += (v - m) * (v - m)
    return q


def welford(x):
    m = s = x.dtype.type(0)
    for n, v in enumerate(x, 1):
        d = v - m
        m += d / x.dtype.type(n)
        s += d * (v - m)
    return s


FOUR = {"naive": naive, "shifted_first": shifted_first, "two_pass": two_pass, "welford": welford}

# %% [markdown]
# These are not sketches of the kernels: they are the same arithmetic. On 5,000 values, the compiled kernels give the same
# bits.

# %%
sample = featuremaps.find("ramp/slow").make("float32", seed=0).reshape(-1)[:5000]
for name, function in FOUR.items():
    kernel = varkernels.moments(sample.reshape(1, 1, -1), name).m2[0]
    print(f"{name:<14} plain {function(sample)!r:<26} kernel {kernel!r}")
    assert function(sample).tobytes() == kernel.tobytes()
varkernels.moments(sample.reshape(1, 1, -1), "welford")

# %% [markdown]
# ## Four maps
#
# | map | what it is |
# |---|---|
# | `bright-image/uint8` | integers of 250 to 255, as in an overexposed photograph |
# | `spike/first` | normal values, but the first one is 1,000 |
# | `biased-rounding/0.1` | values next to 0.1, for which a running sum rounds the same way again and again |
# | `ramp/slow` | a drift of 1/16 a value from 2²⁰ on, where float32's spacing is 1/8: steps of 0 and 1/8 |
#
# All in float32, and one exact variance each: the sums of $x$ and $x^2$ as integers.

# %%
MAPS = ("bright-image/uint8", "spike/first", "biased-rounding/0.1", "ramp/slow")
LINES = ("naive", "shifted_first", "two_pass", "welford", "chan", "pairwise")
kept = np.empty((len(LINES), len(MAPS)))
answers = {}
for column, name in enumerate(MAPS):
    row = featuremaps.find(name).make("float32", seed=0).reshape(1, 1, -1)[:, :, : 2**20]
    known = truth(row)
    exact = Exact.variance(known)
    print(f"{name}: {row.size:,} values, kappa {float(known.kappa[0]):.4g}, variance {float(exact.values[0]):.8g}")
    for line, algorithm in enumerate(LINES):
        value = varkernels.moments(row, algorithm).variance()[0]
        answers[algorithm, name] = float(value), float(exact.values[0])
        kept[line, column] = digits(exact.errors([value]))[0]
        print(f"    {algorithm:<14}{value:>16.8g}   {max(kept[line, column], 0):.1f} digits")

bright, behind, near, drift = [featuremaps.find(name).make("float32", seed=0).reshape(-1) for name in MAPS]
assert (bright.min(), bright.max(), behind[0], drift[0]) == (250, 255, 1000, 2**20)  # what the table says
assert np.abs(near - 0.1).max() < 2e-4 and set(np.diff(drift).tolist()) == {0, 1 / 8}
assert abs((drift[-1] - drift[0]) / (drift.size - 1) - 1 / 16) < 1e-6
for k in range(4):
    assert kept[k, k] < 0  # no correct digit: an error as large as the variance
assert (kept[4:] >= 5).all()
value, exact_variance = answers["welford", "ramp/slow"]
assert abs(value / exact_variance - 4) < 0.01  # four times the variance
assert answers["shifted_first", "spike/first"][0] < 0

# %%
fig, ax = plt.subplots(figsize=(8, 3.9))
image = ax.imshow(np.clip(kept, 0, 7.2), cmap="cividis", vmin=0, vmax=7.2, aspect="auto")
for line in range(len(LINES)):
    for column in range(len(MAPS)):
        value = kept[line, column]
        ax.text(
            column, line, "none" if value <= 0 else f"{value:.1f}", ha="center", va="center",
            color="white" if value < 3.5 else "black", weight="bold" if line == column else "normal",
        )
ax.set_xticks(range(len(MAPS)), MAPS)
ax.set_yticks(range(len(LINES)), LINES)
ax.axhline(3.5, color="white", lw=3)
ax.grid(visible=False)
ax.set_title("Correct digits of the variance in float32, of 7.2")
fig.colorbar(image, label="digits")
plt.show()

# %% [markdown]
# The diagonal is the lesson: each formula has no correct digit on its own map. `welford` answers four times the variance
# of the ramp, and `shifted_first` a negative one behind a spike. Below the line are two algorithms that keep five
# digits and more everywhere: `chan`, which is Welford's recurrence with merges in a tree, and `pairwise`, which is two passes with
# sums in a tree. Their *formulas* are no better. Their *order* is: notebook 3.
#
# ## The four laws
#
# Each failure follows a law that the derivation above gives. Here are the measured errors next to it; each error of the
# upper panels is the median of 15 rows of 4,096 values. A sum of $n$ values errs by something between $u$ and $n u$,
# so a law there is a band.

# %%
U = 2.0**-24  # float32's unit roundoff


def relative(x, algorithm):
    rows = x[np.newaxis]
    return np.abs(Exact.variance(truth(rows)).errors(varkernels.moments(rows, algorithm).variance()))


kappas = np.geomspace(1, 1e4, 13)
naive_error = [np.median(relative(offset("float32", Stream("laws", 0), 15, 4096, kappa=k), "naive")) for k in kappas]

heights = 10.0 ** np.arange(0, 5.5, 0.5)
shifted_error, kappa_c = [], []
for height in heights:
    rows = spike("float32", Stream("laws", 0), 15, 4096, height=float(height), at=0, noise="normal")
    shifted_error.append(np.median(relative(rows, "shifted_first")))
    kappa_c.append(float(truth((rows[:1].astype(float) - rows[0, 0])[np.newaxis]).kappa[0]))

long_row = biased_rounding("float32", Stream("laws", 0), 1, 2**20, kappa=1000.0)
lengths = 2 ** np.arange(8, 21)
two_pass_error, by_the_mean = [], []
for n in lengths:
    rows = long_row[np.newaxis, :, :n]
    known, found = truth(rows), varkernels.moments(rows, "two_pass")
    two_pass_error.append(abs(Exact.variance(known).errors(found.variance())[0]))
    off = Fraction(float(found.mean[0])) - known.mean_fraction(0)
    by_the_mean.append(float(n * off**2 / known.m2_fraction(0)))  # n (computed mean - mean)^2 / S

drift = featuremaps.find("ramp/slow").make("float32", seed=0).reshape(1, 1, -1)
ends = np.unique(np.geomspace(64, drift.size, 40).astype(int))
running = [float(varkernels.moments(drift[:, :, :n], "welford").mean[0]) for n in ends]
means = [float(truth(drift[:, :, :n]).mean_fraction(0)) for n in ends]

for errors, law in ((naive_error, kappas**2 * U), (shifted_error, np.array(kappa_c) ** 2 * U)):
    assert all(1 < error / each < 4096 for error, each in zip(errors, law))
assert all(0.8 < a / b < 1.25 for a, b, n in zip(two_pass_error, by_the_mean, lengths) if n >= 2**17)
stalled = int(np.argmax(np.array(running) >= 0.9999999 * running[-1]))
print(f"Welford's mean of the ramp ends at {running[-1]:,.0f}, the exact mean at {means[-1]:,.0f};")
print(f"it has stood still since value {ends[stalled]:,} of {drift.size:,} or before")
print("two-pass: measured error / n (m^ - m)^2 / S for the longest rows:",
      [round(float(a / b), 2) for a, b in list(zip(two_pass_error, by_the_mean))[-4:]])

# %%
fig, axes = plt.subplots(2, 2, figsize=(9.5, 6.6))
ax = axes[0, 0]
ax.loglog(kappas, naive_error, "o-", color=ORANGE, label="naive, 4,096 values")
ax.fill_between(kappas, kappas**2 * U, 4096 * kappas**2 * U, color=GREY, alpha=0.2, lw=0, label="κ² u … n κ² u")
ax.set(title="naive: cancellation", xlabel="condition number κ", ylabel="relative error")
ax = axes[0, 1]
ax.loglog(heights, shifted_error, "X-", color=BLUE, label="shifted by the first value")
law = np.array(kappa_c) ** 2 * U
ax.fill_between(heights, law, 4096 * law, color=GREY, alpha=0.2, lw=0, label="the same of the shifted data")
ax.set(title="shifted: a bad first value", xlabel="height of the first value", ylabel="relative error")
ax = axes[1, 0]
ax.loglog(lengths, two_pass_error, "s-", color=VIOLET, label="two_pass, values next to 0.1")
ax.loglog(lengths, by_the_mean, "--", color=GREY, label="n (computed mean − mean)² / S")
ax.set(title="two-pass: the mean's error, squared", xlabel="values", ylabel="relative error")
ax = axes[1, 1]
ax.plot(ends, means, "--", color=GREY, label="exact mean so far")
ax.plot(ends, running, "^-", color=GREEN, ms=4, label="welford's running mean")
ax.set(title="Welford: the mean stands still", xlabel="values", ylabel="mean")
ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
ax.set_xticks([0, 2.5e5, 5e5, 7.5e5, 1e6], ["0", "250,000", "500,000", "750,000", "1,000,000"])
for ax in axes.flat:
    ax.legend()
plt.show()

# %% [markdown]
# ## What to do
#
# - **No formula is safe by itself.** Before you trust one, ask what its map looks like: a large mean (naive), an outlier
#   where the shift comes from (shifted), a long row (two-pass), a slow drift (Welford).
# - **Never ship raw sums of $x$ and $x^2$** for data that are not centred: on bytes of 250 to 255 they lose every digit of
#   float32.
# - **If the row is long, change the order first**: the same formulas in a tree keep five digits and more on all four maps.
#
# ## Exercises
#
# 1. Take `step/half` as a fifth map: half of its values are one number, half another. Which of the four formulas have no
#    correct digit on it, and which is exact?
# 2. What do `chan` and `pairwise` make of it? `python -m varstudy explain step/half` has all others.
#
# ## Answers

# %%
row = featuremaps.find("step/half").make("float32", seed=0).reshape(1, 1, -1)
exact = Exact.variance(truth(row))
found = {name: varkernels.moments(row, name).variance()[0] for name in LINES}
for name, value in found.items():
    kept_here = max(digits(exact.errors([value]))[0], 0)
    print(f"{name:<14}{value:>8.4g}   " + ("exact" if np.isinf(kept_here) else f"{kept_here:.1f} digits"))
print("exact variance", exact.values[0], "; the two numbers", *np.unique(row))
assert [name for name in FOUR if found[name] == exact.values[0]] == ["shifted_first"]
assert all(abs(exact.errors([found[name]])[0]) >= 1 for name in ("naive", "two_pass", "welford"))  # no digit
assert found["chan"] == found["pairwise"] == exact.values[0]

# %% [markdown]
# Only the shift by the first value is exact: it makes one half of the values 0. The running mean and the raw sums lose
# everything, and a tree (`chan`, `pairwise`) loses nothing.

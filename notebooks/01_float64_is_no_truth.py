# %% [markdown]
# # 1. Why float64 is no truth
#
# **The question.** A test of a variance algorithm needs something to compare with, and what it usually takes is
# `numpy.var` in float64. scikit-learn's own stability test
# ([`test_incremental_variance_numerical_stability`](https://github.com/scikit-learn/scikit-learn/blob/main/sklearn/utils/tests/test_extmath.py))
# does so, and concludes that a naive online update is unstable and that the recurrence of Youngs and Cramer is robust.
# Is the ruler straight enough to tell these two apart?
#
# Look for one thing below: the *order* of the candidates, once by the test's reference and once by exact arithmetic.
#
# **After this you can**
#
# - say why a float64 reference can rank two float64 algorithms the wrong way round;
# - compute an exact variance in three lines of Python;
# - choose a reference for a test of your own.
#
# **Time:** 15 minutes, exercises included. It runs in seconds.

# %%
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import varkernels
import varstudy
from varstudy.study import featuremaps
from varstudy.study.featuremaps.families import offset
from varstudy.study.featuremaps.streams import Stream
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE

# %% [markdown]
# ## The test's data
#
# 10,000 rows of two equal columns: the first half $10^8$, the second half $\log 10^{-5}$. Nothing is random. The
# condition number of the variance,
#
# $$\kappa = \sqrt{\frac{\sum x_i^2}{\sum (x_i - \bar x)^2}},$$
#
# is as small as it can be for such data: the problem itself is harmless.

# %%
table = featuremaps.find("museum/scikit-learn/stability-test").make("float64", seed=0)
x = np.ascontiguousarray(table[:, 0])
exact = truth(x.reshape(1, 1, -1))
kappa = float(exact.kappa[0])
print("shape", table.shape, " distinct values", sorted(set(x.tolist())), f" kappa = {kappa:.4f}")
assert table.shape == (10_000, 2) and abs(kappa - math.sqrt(2)) < 1e-6
exact

# %% [markdown]
# ## The two updates, as the papers have them
#
# Let $m$ be the mean and $v$ the population variance of the first $n$ values, and $x$ the next one. The **naive update**
# keeps both as weighted averages:
#
# $$m' = \frac{n}{n+1}\,m + \frac{x}{n+1}, \qquad
#   v' = \frac{n}{n+1}\,v + \frac{(x - m)(x - m')}{n+1}.$$
#
# **Youngs and Cramer** (1971, [doi:10.1080/00401706.1971.10488826](https://doi.org/10.1080/00401706.1971.10488826)) keep
# the sum $t$ and the sum of squared deviations $M_2$, and avoid the running mean:
#
# $$t' = t + x, \qquad M_2' = M_2 + \frac{\left((n+1)\,x - t'\right)^2}{n\,(n+1)}.$$
#
# Both are exact in real arithmetic. The test starts each after the first half, whose variance is 0, and then takes the
# second half value by value.

# %%
def naive_update(x, start):
    """The two weighted averages, from row `start` on; the rows before are one repeated value."""
    n, mean, variance = start, x[0], 0.0
    for value in x[start:].tolist():
        new = mean * (n / (n + 1)) + value / (n + 1)
        variance = variance * (n / (n + 1)) + (value - mean) * (value - new) / (n + 1)
        n, mean = n + 1, new
    return variance


def youngs_cramer(x, start):
    """The recurrence on (t, M2), as scikit-learn keeps it between two calls: as a mean and a variance."""
    n, mean, variance = start, x[0], 0.0
    for value in x[start:].tolist():
        t = mean * n + value
        m2 = variance * n + ((n + 1) * value - t) ** 2 / (n * (n + 1))
        n, mean, variance = n + 1, t / (n + 1), m2 / (n + 1)
    return variance


half = len(x) // 2
reference = table.var(axis=0)[0]  # what the test takes as the truth
answers = {
    "np.var(axis=0): the test's reference": reference,
    "naive update: 'unstable'": naive_update(x, half),
    "Youngs-Cramer: 'robust'": youngs_cramer(x, half),
}
seen = {name: abs(Fraction(float(v)) - Fraction(float(reference))) for name, v in answers.items()}
for name, off in seen.items():
    print(f"{name:<40} distance from the reference {float(off):8.1f}")

# %% [markdown]
# Seen from the reference, the naive update is far off and Youngs-Cramer is the nearer of the two: what the test
# expects.
#
# ## The same numbers, compared with exact arithmetic
#
# Every float64 number is a fraction with a power of two below the line. So the variance of the *stored* values is a
# rational number, and Python's `Fraction` computes it without any rounding. That takes three lines:

# %%
values = [Fraction(v) for v in x.tolist()]
mean = sum(values) / len(values)
variance = sum((v - mean) ** 2 for v in values) / len(values)
assert variance == exact.variance_fraction(0)  # the library's integers give the same fraction
errors = {name: abs(Fraction(float(v)) - variance) for name, v in answers.items()}
for name, off in errors.items():
    print(f"{name:<40} distance from the exact variance {float(off):8.2f}")

names = list(answers)
assert errors[names[1]] < errors[names[2]] < errors[names[0]]  # the ranking is upside down
assert seen[names[0]] < seen[names[2]] < seen[names[1]]
assert errors[names[0]] > 60 * errors[names[1]]
too_small = [Fraction(float(answers[name])) < variance for name in names]
print("too small:", dict(zip(("reference", "naive", "Youngs-Cramer"), too_small)))
assert too_small == [True, False, True]  # the reference and Youngs-Cramer err in the same direction

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.7), sharey=True)
places = range(len(names))
for ax, off, title in ((left, seen, "by the test's reference"), (right, errors, "by exact arithmetic")):
    lengths = [float(off[name]) for name in names]
    ax.barh(places, lengths, color=[GREY, ORANGE, GREEN], height=0.6)
    for place, length in zip(places, lengths):
        ax.text(length + 8, place, f"{length:.1f}", va="center")
    ax.set(title=f"Distance {title}", xlabel="|computed − reference|" if ax is left else "|computed − exact|", xlim=(0, 520))
    ax.grid(axis="y", visible=False)
left.set_yticks(places, [name.replace(": ", ":\n") for name in names])
left.invert_yaxis()
plt.show()

# %% [markdown]
# The ranking is upside down. The reference is the worst of the three; the update that the test calls unstable is more
# than sixty times nearer to the exact variance than the reference is. Youngs-Cramer looks good for one reason: it errs in
# the same direction as the ruler.
#
# ## Why the reference is off
#
# `var(axis=0)` walks down the columns and adds row after row: a running sum. Along a contiguous axis numpy adds
# pairwise. It is the same function on the same numbers, and which of the two happens depends on how they lie in memory.

# %%
def error_of(value, truth_):
    return abs(float(Fraction(float(value)) - truth_.variance_fraction(0)))


lengths = [2**k for k in range(4, 19)]
curves = {"np.var(table, axis=0)": [], "np.var(column), contiguous": [], "varstudy.var(column)": []}
for n in lengths:
    column = np.repeat([1e8, math.log(1e-5)], n // 2)
    known = truth(column.reshape(1, 1, -1))
    unit = math.ulp(float(known.variance_fraction(0)))
    for name, value in zip(
        curves, (np.column_stack([column, column]).var(axis=0)[0], np.var(column), varstudy.var(column))
    ):
        curves[name].append(error_of(value, known) / unit)
for name, ulps in curves.items():
    print(f"{name:<28} worst error {max(ulps):12,.1f} ulp")
assert max(curves["varstudy.var(column)"]) <= 0.5
assert max(curves["np.var(table, axis=0)"]) > 100 * max(curves["np.var(column), contiguous"])

# %%
fig, ax = plt.subplots(figsize=(7, 3.4))
for (name, ulps), colour, marker in zip(curves.items(), (ORANGE, BLUE, GREEN), "osD"):
    ax.plot(lengths, ulps, color=colour, marker=marker, ms=5, label=name)
ax.axhline(0.5, color=GREY, ls=(0, (2, 2)))
ax.text(lengths[-1], 0.13, "a correctly rounded answer is off by ½ ulp at most (dashed)", ha="right", va="top", color="#5b6068")
ax.set(
    xscale="log", yscale="log", xlabel="values", ylabel="error, ulp of float64", ylim=(0.03, 5e4),
    title="One function, one set of numbers, two memory layouts",
)
ax.legend()
plt.show()

# %% [markdown]
# ## How often would such a ruler misjudge?
#
# A reference need not be perfect; it has to be better than what it judges. In float64, `np.var` is no better than
# a good algorithm. Here are five algorithms of the study on 300 samples of 2,048 normal values, at three condition
# numbers, all in float64. For each pair of them that differs, we ask whether the reference puts the better one first; where it
# cannot tell them apart, that counts as half a misjudgement.

# %%
candidates = ("naive/pairwise", "two_pass", "welford", "chan", "youngs_cramer")
share = {"np.var(axis=0)": [], "np.var, contiguous": []}
kappas = (1.0, 30.0, 1000.0)
for kappa in kappas:
    rows = offset("float64", Stream(f"ruler/{kappa:g}", 0), 300, 2048, kappa=kappa)
    known = truth(rows[np.newaxis])
    exact_variances = [known.variance_fraction(r) for r in range(len(rows))]
    found = np.array([varkernels.moments(rows[np.newaxis], name).variance() for name in candidates])
    rulers = {"np.var(axis=0)": np.ascontiguousarray(rows.T).var(axis=0), "np.var, contiguous": rows.var(axis=1)}
    for ruler, measured in rulers.items():
        wrong = pairs = 0
        for r, exact_variance in enumerate(exact_variances):
            off = [abs(Fraction(v) - exact_variance) for v in found[:, r].tolist()]
            looks = [abs(Fraction(v) - Fraction(float(measured[r]))) for v in found[:, r].tolist()]
            for a in range(len(candidates)):
                for b in range(a):
                    if off[a] != off[b]:
                        pairs += 1
                        wrong += 0.5 if looks[a] == looks[b] else (off[a] < off[b]) != (looks[a] < looks[b])
        share[ruler].append(wrong / pairs)
for ruler, shares in share.items():
    print(f"{ruler:<20}", "  ".join(f"kappa {k:g}: {s:.1%} of the pairs misjudged" for k, s in zip(kappas, shares)))
assert share["np.var(axis=0)"][0] > 0.25 and share["np.var, contiguous"][0] > 0.02

# %%
fig, ax = plt.subplots(figsize=(7, 3))
width = 0.36
for k, ((ruler, shares), colour) in enumerate(zip(share.items(), (ORANGE, BLUE))):
    bars = ax.bar(np.arange(len(kappas)) + (k - 0.5) * width, [100 * s for s in shares], width, color=colour, label=ruler)
    ax.bar_label(bars, fmt="%.1f %%", padding=2)
ax.set_xticks(range(len(kappas)), [f"κ = {k:g}" for k in kappas])
ax.set(ylabel="pairs misjudged, %", ylim=(0, 58), title="How often float64 np.var ranks two float64 algorithms wrongly")
ax.axhline(50, color=GREY, ls=(0, (2, 2)))
ax.text(2.45, 50.8, "a coin", ha="right", va="bottom", color=GREY)
ax.grid(axis="x", visible=False)
ax.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 0.9))
plt.show()

# %% [markdown]
# ## The kernels on the test's data
#
# The study's kernels next to the exact variance, each in float64. `varstudy.var` is correctly rounded: it is off by less
# than half a unit in the last place, and no algorithm can be nearer.

# %%
view = x.reshape(1, 1, -1)
unit = math.ulp(float(variance))
for name in ("naive", "two_pass", "welford", "youngs_cramer", "chan", "pairwise"):
    print(f"{name:<16}{error_of(varkernels.moments(view, name).variance()[0], exact):8.2f}")
own = error_of(varstudy.var(x), exact)
print(f"{'varstudy.var':<16}{own:8.2f}   (half an ulp is {unit / 2})")
assert own <= unit / 2

# %% [markdown]
# ## What to do
#
# - **Do not score a variance against float64.** Where the candidate is float64 too, the reference's own error decides the
#   ranking; on scikit-learn's test data it turns the ranking round.
# - **Take exact rationals.** `varstudy.truth(view)` has them for millions of values; for a few thousand,
#   `fractions.Fraction` does it in three lines.
# - **If all you have is numpy, add along a contiguous axis**, and compare in units in the last place: a difference of a few
#   ulps between two float64 answers says nothing about which one is right.
#
# ## Exercises
#
# 1. Replace the first half's $10^8$ by $10^4$ and by $10^{12}$. Which of the three is nearest to the exact variance then, and
#    which does the test's reference prefer?
# 2. Take numpy's variance along a contiguous axis, `x.var()`, as the reference. Does it rank the two updates correctly?
#
# ## Answers

# %%
for large in (1e4, 1e8, 1e12):
    other = np.where(x == x[0], large, x[-1])
    fractions = [Fraction(v) for v in other.tolist()]
    middle = sum(fractions) / len(fractions)
    true = sum((v - middle) ** 2 for v in fractions) / len(fractions)
    ruler, contiguous = np.ascontiguousarray(np.stack([other, other], axis=1)).var(axis=0)[0], other.var()
    found = {"naive update": naive_update(other, half), "Youngs-Cramer": youngs_cramer(other, half)}
    by = {
        "exact arithmetic": min(found, key=lambda name: abs(Fraction(found[name]) - true)),
        "var(axis=0)": min(found, key=lambda name: abs(Fraction(found[name]) - Fraction(float(ruler)))),
        "var(), contiguous": min(found, key=lambda name: abs(Fraction(found[name]) - Fraction(float(contiguous)))),
    }
    print(f"{large:g}: the nearer update by " + ", by ".join(f"{name} is {best}" for name, best in by.items()))
    assert by["var(), contiguous"] == by["exact arithmetic"] == "naive update"
    assert (by["var(axis=0)"] == "naive update") is (large == 1e12)

# %% [markdown]
# The naive update is the nearer one each time. The test's reference says so for $10^{12}$ only; a reference along a
# contiguous axis says so for all three.

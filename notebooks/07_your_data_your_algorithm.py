# %% [markdown]
# # 7. Your own data, your own algorithm
#
# **The question.** All the stories so far used our maps and our kernels. You have a feature map of your own, a variance
# function that someone wrote, perhaps a formula of your own. How do you find out what each is worth?
#
# Three tools answer it: `check` (your data, our algorithms), `score` (your function, our data) and `register` (your
# formula among ours). Look for where the new formula below helps, and for what it does not help against.
#
# **After this you can**
#
# - check an array of your own with `check`;
# - score a variance function with `score`;
# - add a formula of your own with `register`, and test it.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
from dataclasses import replace
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import varkernels
from varkernels import FORMATS, Formula
from varkernels.conformance import check_algorithm
from varkernels.formulas import like
from varkernels.formulas.errorfree import two_sum
from varstudy.study import featuremaps
from varstudy.survey.callables import score
from varstudy.study.verdict import check
from varstudy.study.featuremaps.networks import activations
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

# %% [markdown]
# ## Your data: `check`
#
# Any array of float16, bfloat16, float32 or float64 will do (`python -m varstudy check FILE.npy` takes files of several
# kinds). Here is a stand-in: a map as before a normalisation layer whose input is not centred, with channel means up to 60.

# %%
mine = activations(
    "float32", Stream("mine", 0), shape=(8, 16, 28, 28), layout="NCHW", scales=(0.05, 0.4), offsets=(0.0, 60.0),
    rectified=True,
)
found = {}
for norm in ("batch", "layer", "group"):
    found[norm] = check(mine, norm, groups=4 if norm == "group" else None)
    print(f"{norm} norm: {found[norm].rows} rows of {found[norm].values:,} values, "
          f"condition numbers up to {found[norm].kappa_worst:.0f}, {found[norm].constant} constant")
    print("   ", found[norm].answer)

# %%
shown = ("naive", "two_pass", "welford", "chan", "pairwise")
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
for ax, (norm, result) in zip(axes, found.items()):
    own = {each.algorithm: each for each in result.answers if each.accumulator == "float32"}
    kept = [min(max(own[name].digits_worst, 0), result.available) for name in shown]
    ax.barh(range(len(shown)), kept, color=[ORANGE, VIOLET, GREEN, BLUE, GREY], height=0.65)
    for place, digits in enumerate(kept):
        ax.text(8.9, place, f"{digits:.1f}", ha="right", va="center")
    ax.set(title=f"{norm} norm, κ ≤ {result.kappa_worst:.0f}", xlim=(0, 9), xlabel="digits kept, worst row")
    ax.axvline(result.available, color="black", lw=1, ls=(0, (2, 2)), zorder=0)
    ax.grid(axis="y", visible=False)
axes[0].set_yticks(range(len(shown)), shown)
axes[0].invert_yaxis()
plt.show()

batch = {each.algorithm: each.digits_worst for each in found["batch"].answers if each.accumulator == "float32"}
layer = {each.algorithm: each.digits_worst for each in found["layer"].answers if each.accumulator == "float32"}
assert batch["naive"] < 2 and layer["naive"] > 4  # one map, two norms
assert batch["pairwise"] > 6 and layer["pairwise"] > 6
assert found["batch"].recommended is not None

# %% [markdown]
# One map, and the answer depends on the norm: a row of batch norm is one channel, far from 0 compared with its spread, and
# raw sums lose nearly everything. A row of layer norm mixes channels; its spread is that between the channels, and raw
# sums do well. So ask about the norm that you use.
#
# ## Your formula: `register`
#
# Welford's recurrence (1962, [doi:10.1080/00401706.1962.10490022](https://doi.org/10.1080/00401706.1962.10490022)) stalls
# when its mean can no longer move (notebook 2):
#
# $$d = x-m,\qquad m \leftarrow m+\frac dn,\qquad S\leftarrow S + d\,(x-m).$$
#
# Let us keep the mean as an unevaluated sum $m+\ell$ of two float32 numbers. Knuth's *TwoSum* (*The Art of Computer
# Programming* 2, 4.2.2) gives the rounded sum and its error, exactly:
#
# $$d = (x-m)-\ell,\qquad (m,\ell)\leftarrow \operatorname{TwoSum}\!\left(m,\ \ell+\frac dn\right),\qquad
#   S\leftarrow S+d\,\big((x-m)-\ell\big).$$
#
# A formula is a state and a few verbs in plain Python; here it is, whole:

# %%
class Steady(NamedTuple):
    mean: Any
    low: Any
    m2: Any


def update(state, n, x):
    d = (x - state.mean) - state.low
    mean, low = two_sum(state.mean, state.low + d / like(x, n))
    return Steady(mean, low, state.m2 + d * ((x - mean) - low))


def read(state, n):
    return state.mean, state.m2


STEADY = Formula(
    name="steady", title="Welford, steady", summary="Welford's recurrence with a mean of two numbers: it cannot stall.",
    source="Welford 1962, doi:10.1080/00401706.1962.10490022; Knuth 1997, 4.2.2", state=Steady, update=update, read=read,
)
algorithm = varkernels.register(replace(varkernels.compose(STEADY, name="steady"), accumulators=("float32", "float64")))
check_algorithm(algorithm)  # exact examples, empty rows, NaN and infinities: silent where all is well

# %% [markdown]
# It is compiled, and known by its name everywhere. The same verbs run in plain Python on numpy's scalars, with the same
# bits:

# %%
sample = featuremaps.find("ramp/slow").make("float32", seed=0).reshape(1, 1, -1)[:, :, :3000]
state = Steady(*[np.float32(0)] * 3)
for n, value in enumerate(sample.ravel(), 1):
    state = update(state, n, value)
kernel = varkernels.moments(sample, "steady")
print("plain Python ", *read(state, sample.size), "  compiled ", kernel.mean[0], kernel.m2[0])
assert state.mean.tobytes() == kernel.mean.tobytes() and state.m2.tobytes() == kernel.m2.tobytes()
kernel

# %% [markdown]
# What is it worth? Its relative error, next to those of Welford's recurrence and of Chan's merges, on the maps of notebook 2.

# %%
MAPS = ("ramp/slow", "step/half", "spike/first", "biased-rounding/0.1", "bright-image/uint8", "offset/mean=1000")
NAMES = ("welford", "steady", "chan")
errors = {}
for name in MAPS:
    row = featuremaps.find(name).make("float32", seed=0).reshape(1, 1, -1)
    exact = Exact.variance(truth(row))
    errors[name] = {each: abs(exact.errors(varkernels.moments(row, each).variance())[0]) for each in NAMES}
    print(f"{name:<22}", "  ".join(f"{each} {error:.1e}" for each, error in errors[name].items()))
assert errors["ramp/slow"]["welford"] > 1 > 1e3 * errors["ramp/slow"]["steady"]
assert errors["step/half"]["welford"] > 0.9 > 1e3 * errors["step/half"]["steady"]
for name in MAPS[2:]:  # elsewhere it brings nothing: within a factor of four of Welford
    assert 1 / 4 < errors[name]["steady"] / errors[name]["welford"] < 4
    assert errors[name]["chan"] < errors[name]["steady"] / 20

# %%
fig, ax = plt.subplots(figsize=(8.5, 3.4))
for each, colour, marker in zip(NAMES, (GREEN, ORANGE, BLUE), "^ov"):
    ax.plot([max(errors[name][each], 1e-9) for name in MAPS], range(len(MAPS)), marker, color=colour, ms=9, label=each)
ax.set_yticks(range(len(MAPS)), MAPS)
ax.invert_yaxis()
ax.axvline(1, color=GREY, ls=(0, (2, 2)), lw=1)
ax.set(xscale="log", xlabel="relative error of the variance, float32 (at least 10⁻⁹)", title="A mean of two numbers, tried out")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The new formula does what it was made for: on the two maps where Welford's mean stalls it gains more than three decimal
# digits. Elsewhere it brings nothing, since there the error is not in the mean but in the running sum of squares; merging in a
# tree (`chan`) takes care of both. That is the kind of answer that one map would not have given.
#
# ## Your function: `score`
#
# Any function that claims to compute a variance can be scored on the study's maps and ranked among its algorithms. Its
# convention (n or n − 1, which keyword) is found out first. Three candidates: `numpy.var`, the formula of many code
# snippets, and a version of it that shifts by the first value.

# %%
def snippet(x):
    return np.mean(x * x) - np.mean(x) ** 2


def shifted_snippet(x):
    return snippet(x - x[0])


cards = {
    name: score(function, name, level="quick", storages=["float32"], max_rows=2, max_length=5000)
    for name, function in {"numpy.var": np.var, "snippet": snippet, "shifted_snippet": shifted_snippet}.items()
}
for name, card in cards.items():
    wrong = [each.case for each in card.scores if each.wrong]
    print(f"{name:<16} place {card.rank} of {len(card.ranking)}; {len(wrong)} of {len(card.scores)} cases without a digit")
    for case in wrong:
        print("    ", case)
places = [cards[name].rank for name in ("numpy.var", "shifted_snippet", "snippet")]
assert places[1] < places[0] < places[2]
lost = [each.case for each in cards["numpy.var"].scores if each.wrong]
assert lost == ["museum/pytorch/pytorch#5410", "nist/NumAcc4"]
for case in lost:  # equal values, or nearly: as far from 0 as float32 can resolve
    row = featuremaps.find(case).make("float32", seed=0).ravel()[:100]
    assert np.ptp(row) <= np.spacing(np.abs(row).max())
cards["numpy.var"]

# %%
cases = [each.case for each in cards["numpy.var"].scores if not each.case.startswith("photo/")]
fig, ax = plt.subplots(figsize=(8.5, 4.4))
for (name, card), colour, marker, shift in zip(cards.items(), (BLUE, ORANGE, VIOLET), "osD", (-0.2, 0, 0.2)):
    scores = {each.case: each.digits_worst for each in card.scores}
    digits = [float(np.clip(scores[case], 0, 8)) for case in cases]
    ax.plot(digits, np.arange(len(cases)) + shift, marker, color=colour, ms=6, label=name)
ax.set_yticks(range(len(cases)), cases)
ax.invert_yaxis()
ax.axvline(-np.log10(float(FORMATS["float32"].unit_roundoff)), color=GREY, ls=(0, (2, 2)), lw=1)
ax.set(xlabel="correct digits, worst row (0: none; 8: eight or more, or exact)", title="Three functions on the quick study's float32 maps")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The snippet has no digit wherever the mean is large. `numpy.var` has none on two cases: their values are equal, or equal
# but for one unit of float32's spacing, so that the rounding error of the mean is as large as any deviation. Shifting by the
# first value is exact there, and one more line brings the snippet from the last of the three places to the first. Notebook 2
# has the map that breaks it in turn.
#
# ## What to do
#
# - **Before you choose a kernel, run `check` on a real map**, for the norm that you use: `python -m varstudy check map.npy
#   --norm batch`. It names the cheapest algorithm that is good enough.
# - **Before you trust a function, score it**: `python -m varstudy score numpy:var` takes any importable one.
# - **Before you publish a formula, register it.** Twenty lines of verbs give you every precision, conformance tests and
#   maps that are made to break it. A package of its own announces it in the entry-point group `varstudy.algorithms`.
#
# ## Exercises
#
# 1. Give `Steady` a merge: Chan's, with a mean of two numbers. Compose it with the order `pairwise`. Is it better than `chan` on
#    `biased-rounding/0.1`?
# 2. What does `check_algorithm` say of it?
#
# ## Answers

# %%
class SteadyTree(NamedTuple):  # each formula has a state of its own
    mean: Any
    low: Any
    m2: Any


def update_tree(state, n, x):
    d = (x - state.mean) - state.low
    mean, low = two_sum(state.mean, state.low + d / like(x, n))
    return SteadyTree(mean, low, state.m2 + d * ((x - mean) - low))


def merge(a, na, b, nb):
    delta = (b.mean - a.mean) + (b.low - a.low)
    weight = like(a.m2, nb) / like(a.m2, na + nb)
    mean, low = two_sum(a.mean, a.low + delta * weight)
    return SteadyTree(mean, low, a.m2 + b.m2 + delta * delta * (like(a.m2, na) * weight))


merging = replace(STEADY, name="steady_merging", state=SteadyTree, update=update_tree, merge=merge)
tree = varkernels.compose(merging, "pairwise", name="steady_tree")
tree = varkernels.register(replace(tree, accumulators=("float32",)))
check_algorithm(tree)
row = featuremaps.find("biased-rounding/0.1").make("float32", seed=0).reshape(1, 1, -1)
exact = Exact.variance(truth(row))
lost = {name: abs(exact.errors(varkernels.moments(row, name).variance())[0]) for name in (*NAMES, "steady_tree")}
print("  ".join(f"{name} {error:.1e}" for name, error in lost.items()))
assert lost["steady_tree"] < lost["chan"] / 10

# %% [markdown]
# In a tree it is better than `chan`, by more than a digit: what was left there was the mean's error. `check_algorithm` says
# nothing, and so all is well.

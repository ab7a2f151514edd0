# %% [markdown]
# # 3. Order beats formula
#
# **The question.** A kernel is a formula *and* an order: one value after the other, in the lanes of a vector unit, in
# blocks, in a tree, in the grid of a GPU. Books compare formulas and advise two passes. On rows as long as those of batch
# norm, which of the two choices decides how many digits are left?
#
# Look for the columns of the first figure, not for its rows.
#
# **After this you can**
#
# - say why the order of a sum decides before the formula does;
# - read a worst-case error off the shape of an order;
# - choose an order for long rows.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np

import varkernels
from varkernels.cuda import moments as gpu_moments
from varstudy.study.featuremaps.families import biased_rounding, normal, offset
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact
from varstudy.study.error_bounds import relative_bound
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

# %% [markdown]
# ## What an order does to a sum
#
# Each floating-point addition multiplies the exact result by $1+\delta$, $|\delta|\le u$. If no value goes through more
# than $h$ additions,
#
# $$|\hat s - s| \le \left((1+u)^h - 1\right) \sum |x_i| \approx h\,u \sum|x_i| ,$$
#
# and $h$ is a property of the order alone (Higham 2002, *Accuracy and Stability of Numerical Algorithms*, chapter 4):
#
# | order | $h$ for $n$ values |
# |---|---|
# | running | $n$ |
# | $L$ lanes | $\lceil n/L\rceil + \log_2 L$ |
# | blocks of $b$ in a tree | $b + \log_2(n/b)$ |
# | pairwise | $\log_2 n$ |
#
# Two-pass needs two such sums, and the first one is the trap: an error $h u |m|$ of the mean enters $S = \sum (x_i-m)^2$ as
#
# $$\frac{n\,(\hat m - m)^2}{S} \lesssim (h\,u\,\kappa)^2 ,$$
#
# with the condition number $\kappa$ of Chan, Golub and LeVeque
# (1983, [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115)). In a running order $h=n$.
# For a million values and float32, $n u$ alone is a sixteenth.
#
# ## Twenty lines

# %%
def running(x):
    return np.add.accumulate(x)[-1]  # one after the other


def in_lanes(x, width):
    lanes = np.add.accumulate(x.reshape(-1, width), axis=0)[-1]
    while len(lanes) > 1:  # the upper half into the lower
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]


def pairwise(x):
    while len(x) > 1:
        x = x[0::2] + x[1::2]
    return x[0]


def two_pass(x, total):
    mean = total(x) / x.dtype.type(len(x))
    return total((x - mean) * (x - mean))


ORDERS = {"running": running, "lanes32": lambda x: in_lanes(x, 32), "pairwise": pairwise}
N = 2**20
x = offset("float32", Stream("order", 0), 1, N, kappa=1e3)[0]  # normal values round 1,000 standard deviations
known = truth(x.reshape(1, 1, -1))
exact = Exact.variance(known)
for name, total in ORDERS.items():
    plain = two_pass(x, total)
    kernel = varkernels.moments(x.reshape(1, 1, -1), f"two_pass/{name}").m2[0]
    assert plain.tobytes() == kernel.tobytes()  # the kernels do this, bit for bit
    print(f"two_pass/{name:<9} variance {plain / np.float32(N):<12.7g} exact {float(exact.values[0]):.7g}")
known

# %% [markdown]
# The textbook's safe formula, one value after the other, is off by a factor: the data are normal values round 1,000
# standard deviations, and nothing overflows.
#
# ## Formula against order
#
# The same row for five formulas and five orders. The last order is a GPU's: `grid4`, several blocks a row and four lanes a
# thread. Its compiled PTX is executed instruction by instruction, so no GPU is needed.

# %%
FORMULAS = ("naive", "two_pass", "corrected_two_pass", "welford", "chan")
NAMES = ("running", "lanes32", "blocked128", "pairwise", "grid4")
view = x.reshape(1, 1, -1)
errors = np.full((len(FORMULAS), len(NAMES)), np.nan)
for i, formula in enumerate(FORMULAS):
    for j, order in enumerate(NAMES):
        if order == "grid4":
            if formula != "welford":
                errors[i, j] = abs(exact.errors(gpu_moments(view, f"{formula}/grid4").variance())[0])
        elif formula != "welford" or order == "running":  # a recurrence cannot be merged; chan is it with a merge
            errors[i, j] = abs(exact.errors(varkernels.moments(view, f"{formula}/{order}").variance())[0])
print(f"{'':20}" + "".join(f"{order:>12}" for order in NAMES))
for formula, line in zip(FORMULAS, errors):
    print(f"{formula:20}" + "".join(f"{'-' if np.isnan(e) else f'{e:.1e}':>12}" for e in line))

of = {f: dict(zip(NAMES, line)) for f, line in zip(FORMULAS, errors)}
assert of["two_pass"]["running"] > 10  # two-pass: off by more than ten times the variance
assert of["naive"]["pairwise"] < 1e-2 * of["two_pass"]["running"]  # the worst formula in a tree beats it
assert of["naive"]["pairwise"] < 0.1  # a digit is left
assert of["two_pass"]["running"] > 1e4 * of["welford"]["running"]
better_formula = of["naive"]["running"] / of["two_pass"]["running"]
for formula in ("naive", "two_pass"):
    for order in ("lanes32", "blocked128", "pairwise"):
        assert of[formula]["running"] / of[formula][order] > 100 * better_formula
assert max(of[f][o] for f in ("two_pass", "corrected_two_pass", "chan") for o in NAMES[2:]) < 1e-6

# %%
fig, ax = plt.subplots(figsize=(8, 3.6))
kept = np.clip(-np.log10(errors), 0, 7.2)
colours = plt.get_cmap("cividis").copy()
colours.set_bad("#efeee9")
image = ax.imshow(kept, cmap=colours, vmin=0, vmax=7.2, aspect="auto")
for i in range(len(FORMULAS)):
    for j in range(len(NAMES)):
        text = "no merge" if np.isnan(errors[i, j]) else "none" if errors[i, j] >= 1 else f"{-np.log10(errors[i, j]):.1f}"
        dark = np.isnan(errors[i, j]) or kept[i, j] > 3.5
        ax.text(j, i, text, ha="center", va="center", color="black" if dark else "white")
ax.set_xticks(range(len(NAMES)), NAMES)
ax.set_yticks(range(len(FORMULAS)), FORMULAS)
ax.grid(visible=False)
ax.set_title("Correct digits of the variance, 2²⁰ float32 values, κ = 1,000")
fig.colorbar(image, label="digits")
plt.show()

# %% [markdown]
# Read it by columns. On the left, in the running order, even two-pass has no digit, and more than four orders of magnitude lie between
# it and Welford. In the trees on the right all three stable formulas keep six digits and more, and even the
# *naive* formula in a tree is better than *two-pass* one value after the other.
#
# ## How the error grows with the row
#
# Values next to 0.1, for which a running sum rounds the same way again and again, so that its errors add up.

# %%
row = biased_rounding("float32", Stream("order", 0), 1, N, kappa=1000.0)
lengths = [2**k for k in range(8, 21)]
grown = {}
for formula in ("two_pass", "chan"):
    for order in NAMES:
        curve = []
        for n in lengths:
            part = row[np.newaxis, :, :n]
            run = gpu_moments if order == "grid4" else varkernels.moments
            curve.append(abs(Exact.variance(truth(part)).errors(run(part, f"{formula}/{order}").variance())[0]))
        grown[formula, order] = np.array(curve)
for (formula, order), curve in grown.items():
    print(f"{formula + '/' + order:<22} 256 values: {curve[0]:.1e}   2^20 values: {curve[-1]:.1e}")
assert grown["two_pass", "running"][-1] > 1
assert grown["two_pass", "pairwise"].max() < 1e-5 and grown["chan", "pairwise"].max() < 1e-4

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.7), sharey=True)
STYLE = {
    "running": (ORANGE, "o"), "lanes32": (BLUE, "s"), "blocked128": (GREEN, "^"), "pairwise": (VIOLET, "D"),
    "grid4": (GREY, "x"),
}
for ax, formula in zip(axes, ("two_pass", "chan")):
    for order, (colour, marker) in STYLE.items():
        ax.plot(lengths, np.maximum(grown[formula, order], 1e-9), color=colour, marker=marker, ms=4.5, label=order)
    ax.axhline(1, color=GREY, ls=(0, (2, 2)), lw=1)
    ax.set(xscale="log", yscale="log", title=formula, xlabel="values")
axes[0].set_ylabel("relative error (at least 10⁻⁹)")
axes[0].text(300, 1.3, "as large as the variance", color=GREY, va="bottom")
axes[1].legend(ncols=2)
plt.show()

# %% [markdown]
# ## The lane law
#
# Lanes cut the longest chain of additions from $n$ to $n/L + \log_2 L$. So the rigorous bound falls like $1/L$ as
# long as $n/L$ is larger than $\log_2 L$, and with it falls the error; two-pass gains twice, since its mean's error enters
# squared. A vector unit with 8 lanes, unrolled four times, has $L=32$ for nothing.

# %%
widths = [2**k for k in range(0, 17)]
samples = {
    "naive, normal values": ("naive", normal("float32", Stream("order", 0), 1, N)),
    "two_pass, values next to 0.1": ("two_pass", row),
    "chan, values next to 0.1": ("chan", row),
}
lane_errors, lane_bounds = {}, {}
for label, (formula, data) in samples.items():
    data_truth = truth(data[np.newaxis])
    data_exact = Exact.variance(data_truth)
    kappa = float(data_truth.kappa[0])
    names = [f"{formula}/lanes{width}" for width in widths]
    lane_errors[label] = np.array(
        [abs(data_exact.errors(varkernels.moments(data[np.newaxis], name).variance())[0]) for name in names]
    )
    lane_bounds[label] = np.array(
        [relative_bound(varkernels.get(name), varkernels.FORMATS["float32"], N, kappa)[0] for name in names]
    )
    assert (lane_errors[label] <= lane_bounds[label]).all()
    first, last = lane_errors[label][0], lane_errors[label][5]
    print(f"{label:<30} 1 lane {first:.1e}   32 lanes {last:.1e}: {first / last:,.0f} times better")
    assert first / last > 15
many = lane_errors["chan, values next to 0.1"]
assert many[-1] > 10 * many.min()  # too many lanes cost chan something

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True)
for ax, label, colour in zip(axes, samples, (ORANGE, VIOLET, GREEN)):
    ax.plot(widths, lane_errors[label], "o-", color=colour, ms=4.5, label="measured")
    ax.plot(widths, np.where(lane_bounds[label] < 1e9, lane_bounds[label], np.nan), ":", color=colour, label="rigorous bound")
    ax.axhline(2.0**-24, color=GREY, ls=(0, (2, 2)), lw=1)
    ax.set(xscale="log", yscale="log", title=label.replace(", ", ",\n"), xlabel="lanes")
    ax.legend(loc="upper right")
axes[0].set_ylabel("relative error of the variance")
axes[0].set_ylim(1e-9, 1e5)
axes[0].text(1, 2.0**-24 * 0.8, "u of float32", va="top", color=GREY)
plt.show()

# %% [markdown]
# Past the point where the error reaches $u$, more lanes bring nothing; for `chan` very many lanes even cost something,
# since each then holds a few values only and the merges do the work.
#
# ## What to do
#
# - **Choose the order before the formula.** A pairwise tree, blocks of about a hundred values in a tree, or at least 32
#   lanes: each of them gains more here than the step from the naive formula to two-pass does, more than
#   a hundred times as much.
# - **"Two-pass is safest" is false for long rows in float32** unless both its sums run in such an order. numpy's `var` along
#   a contiguous axis does so; along `axis=0` it does not.
# - **Accurate and fast:** two passes or `chan` in blocks that are merged in a tree. `varstudy.var(x)` is faster and
#   correctly rounded.
#
# ## Exercises
#
# 1. Take values round 0, `kappa=1.0`, in the place of `kappa=1e3`. Which column of the first table changes most?
# 2. What does that say about data that are centred before they are normalised?
#
# ## Answers

# %%
centred = offset("float32", Stream("order", 0), 1, N, kappa=1.0)[0].reshape(1, 1, -1)
near = Exact.variance(truth(centred))
print("error round 1,000 standard deviations -> round 0")
for i, formula in enumerate(FORMULAS):
    for j, order in enumerate(NAMES[:4]):
        if not np.isnan(errors[i, j]):
            error = abs(near.errors(varkernels.moments(centred, f"{formula}/{order}").variance())[0])
            print(f"{formula:>20}/{order:<11}{errors[i, j]:.0e} -> {error:.0e}")
            if (formula, order) == ("two_pass", "running"):
                assert error < errors[i, j] / 1e4
            elif formula != "naive":
                assert max(error, 2.0**-24) > errors[i, j] / 10  # below 2⁻²⁴ all bits are right

# %% [markdown]
# Two passes in the running order gain five digits, and the naive formula gains in every order. The others have nothing to
# gain: a good order or Welford's recurrence does what centring does. So centring mends raw sums and long running sums, and
# nothing else.

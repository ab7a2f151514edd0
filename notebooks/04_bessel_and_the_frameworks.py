# %% [markdown]
# # 4. Bessel, batch norm and the frameworks
#
# **The question.** A batch norm is trained in one framework and goes on in another. All its arrays fit, and yet the outputs
# differ. Which variance did each framework keep, with which divisor, which momentum and which epsilon, and how large is
# the error if one of them is left alone?
#
# Look for three different things that are all called "the variance", and for a momentum of 0.1 that means 0.9.
#
# **After this you can**
#
# - list the conventions in which the batch norms of two frameworks can differ;
# - port one between two frameworks, and say what each difference is worth;
# - say from which number of values on Bessel's factor is smaller than rounding.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import varkernels
import varstudy
from varstudy.survey.findings import documented, measured
from varstudy.survey.porting import choose, conventions, port
from varstudy.study.featuremaps.families import offset
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

# %% [markdown]
# ## What the paper says
#
# Ioffe and Szegedy (2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), algorithms 1 and 2). In training, each
# channel of a batch of $n$ values is normalised by its own moments,
#
# $$\mu=\frac1n\sum x_i,\qquad v=\frac{S}{n},\quad S=\sum(x_i-\mu)^2,\qquad y=\gamma\,\frac{x-\mu}{\sqrt{v+\varepsilon}}+\beta,$$
#
# and for inference one keeps the expected *unbiased* variance, with Bessel's correction: $\frac{n}{n-1}\operatorname{E}[v]$.
# In practice that is a running average,
#
# $$r \leftarrow (1-w)\,r + w\,\frac{S}{n-c},$$
#
# and here the frameworks part: $c$ is 0 or 1, and $w$ is what the argument `momentum` multiplies in one framework, and
# $1-w$ in another.
#
# ## Twenty lines
#
# A batch norm with its convention as arguments, in exact arithmetic if it is given fractions:

# %%
class BatchNorm:
    """One channel. weight: of the new batch; correction: of the variance that is kept."""

    def __init__(self, correction, weight, epsilon):
        self.correction, self.weight, self.epsilon = correction, weight, epsilon
        self.mean, self.variance = 0, 1

    def train(self, x):
        n = len(x)
        mean = sum(x) / n
        m2 = sum((v - mean) ** 2 for v in x)
        w = self.weight
        self.mean = (1 - w) * self.mean + w * mean
        self.variance = (1 - w) * self.variance + w * (m2 / (n - self.correction))
        return mean, m2 / n  # it normalises by these: no correction

    def denominator(self):
        """What an evaluation divides by, squared."""
        return self.variance + self.epsilon


batch = [Fraction(v) for v in (2, 4, 4, 6)]  # S = 8, n = 4
paper = BatchNorm(correction=1, weight=Fraction(1, 10), epsilon=Fraction(1, 10**5))
mean, normalising = paper.train(batch)
print("normalises by", normalising, " keeps", paper.variance, "= 9/10 + 1/10 * 8/3")
assert normalising == 2 and paper.variance == Fraction(9, 10) + Fraction(8, 30)
row = np.array([[2, 4, 4, 6]], dtype=np.float32)[np.newaxis]
moments = varkernels.moments(row, "chan")  # the kernel knows S and n only; the divisor comes last
assert moments.variance(0)[0] == 2 and abs(moments.variance(1)[0] - 8 / 3) < 1e-6
assert varstudy.var(row, correction=1) == np.float32(8 / 3)
moments

# %% [markdown]
# ## What the frameworks do
#
# The study asks each framework's layer by small batches whose moments tell the conventions apart, and reads the source
# where it could not be run; how a number is known stands next to it. Nothing here is written down by hand: the table
# comes from the findings in `varstudy.survey.findings`.

# %%
facts = documented.facts()
names = list(dict.fromkeys(fact.framework for fact in facts if fact.kind == "batch"))
known = conventions(measured.committed(), documented.lookup, names)
chosen = [choose(name, known) for name in names]
head = ("framework", "c normalises", "c kept", "momentum", "of the", "weight", "epsilon", "how c kept is known")
print("{:<18}{:<13}{:<8}{:<10}{:<12}{:<9}{:<9}{}".format(*head))


def text(value):
    return "?" if value is None else f"{float(value):g}" if isinstance(value, (int, float, Fraction)) else str(value)


for each in chosen:
    cells = [each[name] for name in ("correction.normalise", "correction.running", "momentum.default", "momentum.multiplies")]
    line = [*map(text, cells), text(each.weight()), text(each["epsilon.default"])]
    print("{:<18}{:<13}{:<8}{:<10}{:<12}{:<9}{:<9}{}".format(each.framework, *line, each.facts["correction.running"].evidence))
by_name = {each.framework: each for each in chosen}
assert by_name["torch"]["correction.normalise"] == 0 and by_name["torch"]["correction.running"] == 1
assert by_name["keras-tensorflow"]["correction.normalise"] == 0 and by_name["keras-tensorflow"]["correction.running"] == 0
assert by_name["torch"]["momentum.multiplies"] == "new" and by_name["keras-tensorflow"]["momentum.multiplies"] == "old"

# %%
kept = [each for each in chosen if each.weight() is not None and each["correction.running"] in (0, 1)]
plotted = [each for each in kept if each["momentum.multiplies"] in ("new", "old")]
plotted.sort(key=lambda each: (each["correction.running"], float(each.weight()), each.framework))
fig, ax = plt.subplots(figsize=(8, 0.21 * len(plotted) + 1.2))
for place, each in enumerate(plotted):
    corrected = each["correction.running"] == 1
    new = each["momentum.multiplies"] == "new"
    ax.plot(
        float(each.weight()), place, "D" if corrected else "o", ms=7, color=VIOLET if corrected else ORANGE,
        mfc=(VIOLET if corrected else ORANGE) if new else "white",
    )
ax.set_yticks(range(len(plotted)), [each.framework for each in plotted], fontsize=8.5)
ax.set(xscale="log", xlabel="weight of the new batch, by default", title="What the running variance is made of", xlim=(4e-4, 2))
handles = [
    plt.Line2D([], [], ls="", marker=marker, color=colour, mfc=fill, ms=7, label=label)
    for marker, colour, fill, label in (
        ("o", ORANGE, ORANGE, "keeps S / n; momentum multiplies the new"),
        ("o", ORANGE, "white", "keeps S / n; momentum multiplies the old"),
        ("D", VIOLET, VIOLET, "keeps S / (n − 1); multiplies the new"),
        ("D", VIOLET, "white", "keeps S / (n − 1); multiplies the old"),
    )
]
fig.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5)
plt.show()
print("shown:", len(plotted), "of", len(chosen), "frameworks and back ends; the others keep another average, take no momentum, or are not known")
kinds = {(each["correction.running"], each["momentum.multiplies"]) for each in plotted}
assert len(kinds) == 4  # all four combinations are in use

# %% [markdown]
# Both divisors are in use, and both meanings of `momentum`, in all four combinations.
#
# ## Porting from PyTorch to Keras
#
# `port` reads the two conventions and says what to change; `python -m varstudy port --from torch --to keras-tensorflow` prints
# it, with code that carries a state over.

# %%
plan = port("torch", "keras-tensorflow", values_per_channel=(2, 32, 1024), variance=0.01)
for change in plan.changes:
    if change.needed:
        print(f"{change.part}: {change.source} -> {change.target}; {change.do}")
print(f"momentum for the target: {plan.target_momentum}, epsilon for the target: {plan.target_epsilon}")
assert abs(plan.target_momentum - 0.9) < 1e-6 and abs(plan.target_epsilon - 1e-5) < 1e-9

# %% [markdown]
# Now train both on the same batches: 32 values a channel of variance 0.01, by the twenty lines above, with fractions. Four
# layers: PyTorch's; Keras' with its own defaults; Keras' with PyTorch's `momentum=0.1` handed over as the number it is;
# and Keras' with the argument that the port gives.

# %%
n, steps = 32, 100
half = n // 2
batch = [Fraction(1, 10)] * half + [Fraction(-1, 10)] * half  # S / n = 0.01 exactly
torch_like, keras = by_name["torch"], by_name["keras-tensorflow"]


def layer(convention, weight):
    return BatchNorm(int(convention["correction.running"]), weight, convention.number("epsilon.default"))


layers = {
    "PyTorch": layer(torch_like, torch_like.weight()),
    "Keras, its own defaults": layer(keras, keras.weight()),
    "Keras, momentum=0.1 handed over": layer(keras, 1 - torch_like.number("momentum.default")),
    "Keras, momentum=0.9: ported": layer(keras, torch_like.weight()),
}
history = {name: [] for name in layers}
for _ in range(steps):
    for name, each in layers.items():
        each.train(batch)
        history[name].append(float(each.variance))
closed = {step.steps: step for step in port("torch", "keras-tensorflow", values_per_channel=n, variance=0.01).steps}
for name, attribute in zip(layers, ("source", "alone", "same_number", "changed")):
    print(f"{name:<34} running variance after 1, 10, 100 steps:",
          "  ".join(f"{history[name][k - 1]:.6f}" for k in (1, 10, 100)))
    for k in (1, 10, 100):  # the port's closed form says the same
        assert abs(history[name][k - 1] - getattr(closed[k], attribute)) < 1e-12

ours, ported = history["PyTorch"], history["Keras, momentum=0.9: ported"]
assert abs(ours[-1] / ported[-1] - 32 / 31) < 1e-3  # what is left is Bessel's factor
assert history["Keras, its own defaults"][-1] > 30 * ours[-1]  # 100 steps are not enough at weight 0.01

# %%
fig, ax = plt.subplots(figsize=(8, 3.5))
for (name, curve), colour, line in zip(history.items(), (VIOLET, ORANGE, GREY, GREEN), ("-", "-", ":", "--")):
    ax.plot(range(1, steps + 1), curve, ls=line, lw=2, color=colour, label=name)
ax.axhline(0.01, color="black", lw=0.8)
ax.text(101, 0.01, "S / n", va="center")
ax.set(yscale="log", xlabel="training steps", ylabel="running variance", title="The same batches, four running variances", xlim=(0, 100))
ax.legend()
plt.show()

# %% [markdown]
# With `momentum=0.1` handed over as a number, the layer all but forgets the past: its running variance is that of the last
# batch, noise and all. With its own defaults Keras is slower by a factor of ten. Ported, the two curves lie on each other
# but for Bessel's factor $n/(n-1)$.
#
# ## How much is Bessel worth, compared with rounding?
#
# Left alone, the factor changes an output by $\sqrt{\tfrac{n}{n-1}}-1\approx\tfrac1{2n}$, relatively. A kernel that loses
# digits changes it too. On the same scale: $1/n$, and the error of the naive float32 kernel on $n$ values with
# condition numbers 30 and 300.

# %%
lengths = 2 ** np.arange(1, 17)
naive = {}
for kappa in (30.0, 300.0):
    naive[kappa] = []
    for length in lengths:
        rows = offset("float32", Stream(f"bessel/{length}", 0), 25, int(length), kappa=kappa)[np.newaxis]
        naive[kappa].append(np.median(np.abs(Exact.variance(truth(rows)).errors(varkernels.moments(rows, "naive").variance()))))
crossing = {kappa: int(lengths[np.argmax(np.array(errors) > 1 / lengths)]) for kappa, errors in naive.items()}
print("naive float32 errs by more than Bessel's correction from n =", crossing)
assert crossing[300.0] < crossing[30.0] <= 65536
small = port("torch", "keras-tensorflow", values_per_channel=(2, 32, 1024), variance=1.0)
for error in small.errors:
    print(f"n = {error.values_per_channel:>5}: output off by {error.factor:+.2%} if the factor is left alone")
    expected = (1 - 1 / error.values_per_channel) ** 0.5 - 1
    assert abs(error.factor - expected) < 1e-4
tiny = port("torch", "keras-tensorflow", values_per_channel=1024, variance=1e-4)
print(f"epsilon left alone, variance 1e-4: output off by {tiny.errors[0].epsilon:+.1%}")
assert tiny.errors[0].epsilon < -0.5

# %%
fig, ax = plt.subplots(figsize=(8, 3.6))
ax.loglog(lengths, 1 / lengths, "-", color="black", lw=2, label="Bessel's correction: 1 / n")
for (kappa, errors), colour, marker in zip(naive.items(), (BLUE, ORANGE), "so"):
    ax.loglog(lengths, errors, marker + "-", ms=4.5, color=colour, label=f"naive float32 kernel, κ = {kappa:g}")
ax.set(xlabel="values in a channel", ylabel="relative change of the variance", title="Which divisor, or which kernel?", ylim=(1e-7, 2))
ax.legend(loc="lower left")
plt.show()

# %% [markdown]
# ## What to do
#
# - **Carry epsilon first**: where channels have a small variance, a default of $10^{-3}$ for $10^{-5}$ changes outputs by
#   more than half.
# - **Translate momentum, never copy it**: `port` says which argument gives the same weight.
# - **Mind Bessel's factor for small $n$**: for inference keep the running variance as it is; to train on, multiply by
#   $(n-1)/n$. At a thousand values it is a twentieth of a percent of an output.
# - **For large $n$ look at the kernel instead**: from the crossing on, the naive kernel's rounding is larger than the
#   correction that people argue about.
#
# ## Exercises
#
# 1. Port a batch norm from Flax Linen to PaddlePaddle. Which changes are needed?
# 2. Do its outputs in inference change if nothing is changed?
#
# ## Answers

# %%
other = port("flax-linen", "paddle", values_per_channel=32, variance=0.01)
for change in other.changes:
    if change.needed:
        print(f"{change.part}: {change.source} -> {change.target}; {change.do}")
(error,) = other.errors
print("relative error of an output in inference, if nothing is changed:", error.inference)
assert other.target_momentum is not None and abs(other.target_momentum - 0.99) < 1e-6

# %% [markdown]
# Momentum has to be translated before training goes on. Inference needs no change, since both keep $S/n$ and have the same
# epsilon. `python -m varstudy frameworks --help` says how to measure a framework that you have installed.

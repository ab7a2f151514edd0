# %% [markdown]
# # 5. One family: batch, layer, instance and group norm
#
# **The question.** Four normalisations, four layers in every framework, four kernels to test. How much of that is one thing?
# And what does a *small* row (a small batch, a small group) do to a variance, apart from what rounding does? At the end: what
# does it cost to fold such a layer into a convolution, in float16?
#
# Look for one picture (which values share a statistic), one crossing (where rounding becomes larger than the
# sampling error), and one trade (what folding saves and what it spends).
#
# **After this you can**
#
# - write batch, layer, instance and group norm as four views of one array;
# - say when the sampling error matters, and when rounding does;
# - decide whether to fold a layer for float16.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np

import varkernels
import varstudy
from varkernels import FORMATS
from varstudy.survey.folding import cost
from varstudy.study.featuremaps.families import normal
from varstudy.study.featuremaps.networks import activations
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

# %% [markdown]
# ## A norm is a view
#
# Each of the four divides by the root of a variance over some subset of the map $x_{nchw}$:
#
# $$y = \gamma\,\frac{x-\mu}{\sqrt{\sigma^2+\varepsilon}}+\beta,\qquad \mu=\frac1{|S|}\sum_{S} x,\quad
#   \sigma^2=\frac1{|S|}\sum_{S}(x-\mu)^2 .$$
#
# | norm | values that share $\mu$ and $\sigma^2$ | source |
# |---|---|---|
# | batch | one channel, all samples | Ioffe, Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167) |
# | layer | one sample, all channels | Ba, Kiros, Hinton 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450) |
# | instance | one channel of one sample | Ulyanov, Vedaldi, Lempitsky 2016, [arXiv:1607.08022](https://arxiv.org/abs/1607.08022) |
# | group | some channels of one sample | Wu, He 2018, [arXiv:1803.08494](https://arxiv.org/abs/1803.08494) |
#
# So a norm is a reshape to (segments, rows, length), a *row* holding what belongs together; nothing is copied, and
# a kernel knows rows only.

# %%
samples, channels, side = 4, 8, 16
x = activations(
    "float32", Stream("family", 0), shape=(samples, channels, side, side), layout="NCHW", scales=(0.5, 2.0),
    offsets=(-1.0, 20.0), rectified=False,
)
rows = {}
for norm in ("batch", "layer", "instance", "group"):
    view = varstudy.view(x, norm, groups=2 if norm == "group" else None)
    rows[norm] = view
    print(f"{norm:<9} view {view.shape!s:<14} rows {view.shape[1]:>3}, values a row {view.shape[0] * view.shape[2]:>5,}")
    assert np.shares_memory(view, x)
labels = np.arange(samples * channels).reshape(samples, channels)
shared = {
    "batch": np.tile(np.arange(channels), (samples, 1)),
    "layer": np.tile(np.arange(samples)[:, np.newaxis], (1, channels)),
    "instance": labels,
    "group": labels // (channels // 2),
}
for norm, table in shared.items():  # the picture below is what the views do
    for row in range(rows[norm].shape[1]):
        assert np.array_equal(np.sort(rows[norm][:, row].ravel()), np.sort(x[table == row].ravel()))

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.5), sharey=True)
for ax, (norm, table) in zip(axes, shared.items()):
    count = table.max() + 1
    shade = (table * 7 % count) / max(count - 1, 1)  # neighbours far apart
    ax.imshow(shade, cmap="cividis", aspect="auto")
    for (n, c), row in np.ndenumerate(table):
        ax.text(c, n, row, ha="center", va="center", fontsize=8.5, color="white" if shade[n, c] < 0.5 else "black")
    ax.set(title=f"{norm}: {count} rows", xlabel="channel", xticks=range(channels), yticks=range(samples))
    ax.set_xticks(np.arange(-0.5, channels), minor=True)
    ax.set_yticks(np.arange(-0.5, samples), minor=True)
    ax.grid(visible=False)
    ax.grid(which="minor", color="white", lw=1.5)
    ax.tick_params(which="minor", length=0)
axes[0].set_ylabel("sample")
plt.show()

# %% [markdown]
# Each cell is a plane of $H\times W$ values; cells with one number share one mean and one variance.
#
# ## Four norms from one read
#
# A plane is never cut. So the moments of the planes are enough for all four: merge them by the rule of Chan, Golub
# and LeVeque (1983, [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115), eq. 2.1),
#
# $$\delta = m_b-m_a,\qquad m = m_a + \delta\,\frac{n_b}{n_a+n_b},\qquad
#   S=S_a+S_b+\delta^2\,\frac{n_a n_b}{n_a+n_b}.$$

# %%
def merged(moments):
    n, mean, m2 = moments[0]
    for nb, mean_b, m2_b in moments[1:]:
        delta = mean_b - mean
        mean = mean + delta * (nb / (n + nb))
        m2 = m2 + m2_b + delta * delta * (n * nb / (n + nb))
        n += nb
    return n, mean, m2


def all_norms(x, groups):
    """The variances of the four norms, from the planes' moments; each plane is read once."""
    planes = {}
    for (n, c), _ in np.ndenumerate(x[:, :, 0, 0]):
        plane = x[n, c].astype(np.float64)
        planes[n, c] = plane.size, plane.mean(), plane.var() * plane.size
    samples, channels = x.shape[:2]
    each = channels // groups
    parts = {
        "batch": [[planes[n, c] for n in range(samples)] for c in range(channels)],
        "layer": [[planes[n, c] for c in range(channels)] for n in range(samples)],
        "instance": [[plane] for plane in planes.values()],
        "group": [
            [planes[n, c] for c in range(g * each, (g + 1) * each)] for n in range(samples) for g in range(groups)
        ],
    }
    return {
        norm: np.array([m2 / n for n, _, m2 in (merged(each) for each in lists)]) for norm, lists in parts.items()
    }


plain = all_norms(x, groups=2)
ours = varstudy.feature_moments(x, groups=2)  # correctly rounded, also from one read
for norm, view in rows.items():
    exact = Exact.variance(truth(view))
    kernel = varkernels.moments(view, "naive").variance()
    print(f"{norm:<9} worst relative error: twenty lines {np.abs(exact.errors(plain[norm])).max():.1e}"
          f"   feature_moments {np.abs(exact.errors(ours[norm].variance().ravel())).max():.1e}"
          f"   naive float32 kernel {np.abs(exact.errors(kernel)).max():.1e}")
    assert np.abs(exact.errors(plain[norm])).max() < 1e-13
    assert np.abs(exact.errors(ours[norm].variance().ravel())).max() <= 2.0**-24
truth(rows["group"])

# %% [markdown]
# ## Small rows: two errors, and which one matters
#
# The variance of $n$ values is an estimate. For normal data its relative standard error is $\sqrt{2/(n-1)}$, and
# with the divisor $n$ it is too small by $1/n$ on average. To that comes the rounding error of the kernel. Below are 300
# rows for each length, of normal values round 30 standard deviations, in float32 and in bfloat16.

# %%
lengths = [2**k for k in range(1, 14)]
MEAN, ROWS = 30.0, 300
sampling, bias, rounding = [], [], {}
for n in lengths:
    for storage in ("float32", "bfloat16"):
        sample = normal(storage, Stream(f"small/{n}", 0), ROWS, n, mean=MEAN)[np.newaxis]
        exact = Exact.variance(truth(sample))
        if storage == "float32":
            sampling.append(float(np.sqrt(np.mean((exact.rounded * n / (n - 1) - 1) ** 2))))
            bias.append(float(1 - exact.rounded.mean()))
        for algorithm in ("naive", "chan"):
            off = exact.errors(varkernels.moments(sample, algorithm).variance())
            off = off[np.isfinite(off)]  # in bfloat16 a short row may be constant: nothing to be relative to
            rounding.setdefault((storage, algorithm), []).append(float(np.median(np.abs(off))))
law = np.sqrt(2 / (np.array(lengths) - 1))
print("sampling error / sqrt(2 / (n - 1)):", np.round(np.array(sampling) / law, 2).tolist())
print("bias of the divisor n, times n:   ", np.round(np.array(bias)[:6] * lengths[:6], 2).tolist())
assert (np.abs(np.array(sampling) / law - 1) < 0.35).all()
for (storage, algorithm), errors in rounding.items():
    larger = [n for n, error, other in zip(lengths, errors, law) if error > other]
    print(f"{storage}, {algorithm:<6} rounding error above the sampling error: ", f"for {len(larger)} of {len(lengths)} lengths")
assert all(np.array(rounding["bfloat16", "naive"]) > law)
assert all(np.array(rounding["float32", "chan"]) < 1e-3 * law)

# %%
fig, ax = plt.subplots(figsize=(8, 4))
ax.plot(lengths, sampling, "-", color="black", lw=2.2, label="sampling error (root mean square)")
ax.plot(lengths, 1 / np.array(lengths), ":", color="black", label="bias of the divisor n: 1/n")
for (storage, algorithm), colour, marker in zip(rounding, (BLUE, GREEN, ORANGE, VIOLET), "osv^"):
    ax.plot(lengths, np.maximum(rounding[storage, algorithm], 1e-9), marker=marker, color=colour, ms=5,
            label=f"rounding: {algorithm}, {storage}")
ax.set(
    xscale="log", yscale="log", xlabel="values in a row", ylabel="relative error of the variance (at least 10⁻⁹)",
    title="Normal values round 30 σ: sampling and rounding",
)
ax.set_xticks([2, 8, 32, 128, 512, 2048, 8192], ["2", "8", "32", "128", "512", "2,048", "8,192"])
ax.minorticks_off()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# In float32, a row of two values has a sampling error of the order of the variance itself, and no kernel can help: that is a
# reason for group norm. The rounding error of a good formula stays a thousand times and more below it. In bfloat16 the raw
# sums are always the larger evil.
#
# ## Folding the layer away
#
# In inference $\mu$ and $\sigma^2$ are constants, and an affine map can move into the convolution before it:
#
# $$W'_o = a_o W_o,\qquad b'_o=a_o\,(b_o-\mu_o)+\beta_o,\qquad a_o=\frac{\gamma_o}{\sqrt{\sigma_o^2+\varepsilon}} .$$
#
# An affine channel without statistics is $a_o=\gamma_o$, $\mu_o=0$. `varstudy.survey.folding.folding_cost` compares both
# ways with exact rationals. The convolution's sum is exact in both and rounded once, so that what is left is
# the cost of folding itself. The weights below are numbers of float16 before anything is folded.

# %%
OUT, IN = 3, 6


def fold_once(scale, brightness, zero_sum, dtype="float16"):
    """(folded, unfolded): the worst relative error of a 3 x 3 convolution and its batch norm."""
    stream, fmt = Stream("fold", 0), FORMATS[dtype]
    weight = np.round(stream.normal(OUT * IN * 9).reshape(OUT, IN, 3, 3) / np.sqrt(IN * 9) * 256) / 256
    if zero_sum:  # an edge detector: it answers 0 to a constant image
        weight[:, 0, 0, 0] -= weight.sum(axis=(1, 2, 3))
    assert np.array_equal(weight, fmt.rounded(weight).astype(float))
    image = fmt.rounded((stream.normal(IN * 64) + brightness) * scale).reshape(1, IN, 8, 8).astype(float)
    patches = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(2, 3))
    z = patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, IN * 9) @ weight.reshape(OUT, -1).T
    gamma, beta = 1 + 0.1 * stream.normal(OUT), 0.1 * stream.normal(OUT)
    found = cost(image, weight, None, gamma, beta, z.mean(axis=0), z.var(axis=0), 1e-5, dtype=dtype)
    return found.folded_relative, found.unfolded_relative


scales = 10.0 ** np.arange(-2, 4.5, 0.5)
by_scale = np.array([fold_once(scale, 0.0, zero_sum=False) for scale in scales])
brightnesses = np.array([0.0, 1, 3, 10, 30, 100, 300, 1000])
by_brightness = np.array([fold_once(1.0, brightness, zero_sum=True) for brightness in brightnesses])
print("activations of size 1:      folded {:.1e}, unfolded {:.1e}".format(*by_scale[scales == 1][0]))
print("activations of size 1,000:  folded {:.1e}, unfolded {:.1e}: σ² is beyond float16".format(*by_scale[scales == 1000][0]))
print("brightness 1,000, edges:    folded {:.1e}, unfolded {:.1e}".format(*by_brightness[-1]))
assert by_scale[scales == 1][0][0] < by_scale[scales == 1][0][1]  # one rounding instead of several
assert np.isinf(by_scale[scales == 1000][0][1]) and by_scale[scales == 1000][0][0] < 2e-3
assert by_brightness[-1][0] > 50 * by_brightness[-1][1]
print("float16's largest number:", float(FORMATS["float16"].largest))
assert (by_scale[:, 0] < by_scale[:, 1]).all()

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.5), sharey=True)
ax = axes[0]
ax.loglog(scales, by_scale[:, 0], "o-", color=BLUE, label="folded")
ax.loglog(scales, by_scale[:, 1], "s--", color=ORANGE, label="two layers")
held = np.isfinite(by_scale[:, 1])
ax.axvspan(scales[~held][0], scales[-1], color=GREY, alpha=0.15)
ax.text(scales[~held][0] * 1.1, 0.06, "σ² is beyond\nfloat16: the two\nlayers fail", va="top", fontsize=8)
ax.set(title="Centred activations", xlabel="size of the activations", ylabel="worst relative error, float16")
ax.legend(loc="center left")
ax = axes[1]
ax.plot(brightnesses + 0.3, by_brightness[:, 0], "o-", color=BLUE, label="folded")
ax.plot(brightnesses + 0.3, by_brightness[:, 1], "s--", color=ORANGE, label="two layers")
ax.set(title="Bright image, edge detectors", xlabel="brightness, in standard deviations", xscale="log")
ax.set_xticks([0.3, 1, 10, 100, 1000], ["0", "1", "10", "100", "1,000"])
ax.minorticks_off()
plt.show()

# %% [markdown]
# Folding rounds the *weights* once more and saves the roundings *between* the layers. On centred data that is a gain, and
# where $\sigma^2$ is beyond float16's 65,504 the two layers fail altogether and the folded one does not. But where weights
# cancel, as edge detectors do on a bright image, their new rounding errors do not cancel: the folded layer is more than
# fifty times worse.
#
# ## What to do
#
# - **Test one kernel on rows**, then test the views: a norm has no arithmetic of its own.
# - **Choose the norm by the length of its rows**, the kernel by its rounding error. With two or four values a row the
#   sampling error dwarfs everything else; with thousands of values in bfloat16 the raw sums do.
# - **Fold in float32 and round once**; before you fold for float16, run `cost` on your own weights and an image that is
#   not centred. Keep $\sigma^2$ in float32 if you do not fold.
#
# ## Exercises
#
# 1. How many digits does a folded layer keep in bfloat16, on an edge detector and an image of brightness 100?
# 2. And in float32?
#
# ## Answers

# %%
for dtype in ("bfloat16", "float16", "float32"):
    folded, unfolded = fold_once(1.0, 100.0, zero_sum=True, dtype=dtype)
    print(f"{dtype:<9} folded {-np.log10(folded):.1f} digits, unfolded {-np.log10(unfolded):.1f}")
    assert 5 < folded / unfolded < 30

# %% [markdown]
# Folding costs about one digit here in every format. In float32 that leaves enough; in bfloat16 it leaves one.

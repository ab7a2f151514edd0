# %% [markdown]
# # 6. What the GPU really computes
#
# **The question.** The same source, once for a CPU and once for a GPU, gives different bits, and people blame the "GPU's
# arithmetic". A GPU's additions and products are those of IEEE 754. So where do the bits come from, which of the differences
# cost digits, and can they be studied without a GPU?
#
# Look for two suspects: *contraction*, which changes how often a kernel rounds, and *order*, which changes what it adds to
# what.
#
# **After this you can**
#
# - name the two causes of a GPU's other bits;
# - replay a CUDA kernel bit for bit without a GPU;
# - write a test that compares kernels without a tolerance.
#
# **Time:** 20 minutes, exercises included. It runs in seconds.

# %%
import re
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np

import varkernels
import varptx
from varkernels.cuda import library, moments
from varstudy.study.featuremaps.families import offset
from varstudy.study.featuremaps.streams import Stream
from varstudy.study.score import Exact
from varstudy import truth
from figure_style import BLUE, GREEN, GREY, ORANGE, VIOLET

F32 = np.float32

# %% [markdown]
# ## Suspect one: contraction
#
# A GPU has an instruction $\operatorname{fma}(a,b,c)=\operatorname{round}(ab+c)$ that rounds once. Compilers use it for a
# product and the sum that takes it, unless they are told not to: CUDA's `nvcc` does so by default, and so does Numba for
# CUDA. One rounding less is a *smaller* error, usually. But look at
#
# $$x\cdot x - y, \qquad y=\operatorname{round}(x\cdot x),$$
#
# which is 0 if both products are rounded, and with an fma the rounding error of the product itself:
#
# $$\operatorname{fma}(x, x, -y) = x^2 - \operatorname{round}(x^2) .$$
#
# Here is a small kernel in PTX, the assembly language of NVIDIA's GPUs, that computes both. `varptx` executes it on
# the CPU, each instruction as the IEEE operation that it names.

# %%
PTX = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry both(.param .u64 x, .param .u64 apart, .param .u64 fused)
{
    .reg .b32 %r<2>;  .reg .b64 %rd<8>;  .reg .f32 %f<6>;
    ld.param.u64 %rd1, [x];  ld.param.u64 %rd2, [apart];  ld.param.u64 %rd3, [fused];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd4, %r1, 4;
    add.u64 %rd5, %rd1, %rd4;  add.u64 %rd6, %rd2, %rd4;  add.u64 %rd7, %rd3, %rd4;
    ld.global.f32 %f1, [%rd5];
    mul.rn.f32 %f2, %f1, %f1;
    neg.f32 %f3, %f2;
    add.rn.f32 %f4, %f2, %f3;
    fma.rn.f32 %f5, %f1, %f1, %f3;
    st.global.f32 [%rd6], %f4;
    st.global.f32 [%rd7], %f5;
    ret;
}
"""
x = np.linspace(1, 2, 512, dtype=F32)
apart, fused = np.empty_like(x), np.empty_like(x)
memory = varptx.Memory()
addresses = [memory.place(x, readonly=True).address]
addresses += [memory.place(out, initialised=False).address for out in (apart, fused)]
varptx.load(PTX).kernel().launch(memory, grid=(1, 1, 1), block=(len(x), 1, 1), args=addresses)
print("two roundings:", set(apart.tolist()), "  one rounding: from", fused.min(), "to", fused.max())

assert not apart.any()
for v, residue in zip(x, fused):  # the fma's answer is the product's rounding error, exactly
    assert Fraction(float(v)) ** 2 - Fraction(float(v * v)) == Fraction(float(residue))

# %%
fig, ax = plt.subplots(figsize=(8, 3))
ax.axhline(0, color=BLUE, lw=2, label="x·x − x·x, two roundings")
ax.plot(x, fused * 2.0**24, ".", ms=3.5, color=ORANGE, label="fma(x, x, −x·x), one rounding")
ax.set(xlabel="x", ylabel="in units of 2⁻²⁴", title="What an fma leaves of x·x − x·x", ylim=(-2.6, 3.9))
ax.legend(ncols=2, loc="upper left")
plt.show()

# %% [markdown]
# The naive formula, $\sum x^2-\frac1n(\sum x)^2$, is such a difference. On a channel of equal values its answer should
# be 0. Here are 256 such channels of 4,096 values, through the study's CUDA kernel `naive/grid4`, once compiled with
# contraction and once without; the compiled PTX of both is in the package and is executed here.

# %%
constants = (1 + np.arange(256) / 256 + 1 / 3000).astype(F32)
channels = np.repeat(constants[:, np.newaxis], 4096, axis=1)[np.newaxis]
spread = {}
for contracted in (False, True):
    spread[contracted] = moments(channels, "naive/grid4", contracted=contracted).m2
    m2 = spread[contracted]
    print(f"naive/grid4, contracted={contracted!s:<6} M2 of equal values: "
          f"{np.count_nonzero(m2)} of {m2.size} not 0, {np.count_nonzero(m2 < 0)} negative")
assert not spread[False].any()
assert (spread[True] < 0).any()
for name in ("two_pass/grid4", "chan/grid4"):
    assert not moments(channels, name, contracted=True).m2.any()  # no difference of squares, nothing to leave behind


def arithmetic(name):
    """The float32 arithmetic of one compiled kernel, by instruction."""
    entry = next(each for each in library.manifest()["kernels"] if each["name"] == name)
    return entry["instructions"]


for build in ("separate", "contracted"):
    print(f"{build:<11}", arithmetic(f"naive_sweep4_float32_float32_{build}"))
lines = re.findall(r"^\s*(fma\.\S+ .*;)", library.text("naive_sweep4_float32_float32_contracted"), re.M)
print("the first of them:", lines[0])

# %%
fig, ax = plt.subplots(figsize=(8, 2.9))
ax.plot(constants, spread[True], "o", ms=4, color=ORANGE, label="contracted")
ax.plot(constants, spread[False], "-", color=BLUE, lw=2, label="not contracted")
ax.fill_between([1, 2], -0.0012, 0, color=GREY, alpha=0.15, lw=0)
ax.text(1.01, -0.00113, "negative: the root is NaN", color="#5b6068")
ax.set(
    title="M2 of 4,096 equal values by naive/grid4", xlabel="the value", ylabel="M2 (exact: 0)", xlim=(1, 2),
    ylim=(-0.0012, 0.0016),
)
ax.legend(ncols=2, loc="upper right")
plt.show()

# %% [markdown]
# ## Suspect two: order
#
# In the kernel `block`, a block of threads shares a row: thread $t$ takes the values $t, t+T, t+2T,\dots$; then lane 16 of
# each warp of 32 is merged into lane 0, 17 into 1 and so on, then 8, 4, 2, 1; then the warps in the same way. Its merge is
# that of Chan, Golub and LeVeque (1983,
# [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115), eq. 2.1):
#
# $$\delta=m_b-m_a,\quad w=\frac{n_b}{n_a+n_b},\qquad m=m_a+\delta w,\qquad S=S_a+S_b+\delta^2\,(n_a w).$$
#
# In twenty lines of numpy, each array holding one number a thread:

# %%
def merge(a, na, b, nb):
    delta = b[0] - a[0]
    w = F32(nb) / F32(na + nb)
    return a[0] + delta * w, a[1] + b[1] + delta * delta * (F32(na) * w)


def tree(state, n):
    width = state[0].shape[1]
    while width > 1:
        width //= 2
        low, high = ([field[:, k * width : (k + 1) * width] for field in state] for k in (0, 1))
        state, n = merge(low, n, high, n), 2 * n
    return state, n


def gpu_block(row, threads=256):
    mean = m2 = np.zeros(threads, F32)
    for n, values in enumerate(row.reshape(-1, threads), 1):  # each thread its own recurrence
        delta = values - mean
        mean = mean + delta / F32(n)
        m2 = m2 + delta * (values - mean)
    state, n = tree([mean.reshape(-1, 32), m2.reshape(-1, 32)], n)  # 32 lanes of each warp
    state, n = tree([field.reshape(1, -1) for field in state], n)  # then the warps
    return state[0][0, 0], state[1][0, 0]


row = offset("float32", Stream("gpu", 0), 1, 4096, kappa=1e3)
replayed = gpu_block(row[0])
executed = moments(row[np.newaxis], "chan/block", contracted=False)
print("numpy in the GPU's order", *replayed, "  the PTX", executed.mean[0], executed.m2[0])
assert replayed[0].tobytes() == executed.mean[0].tobytes() and replayed[1].tobytes() == executed.m2[0].tobytes()
again = moments(np.asfortranarray(row)[np.newaxis], "chan/block", contracted=False)
assert again.m2.tobytes() == executed.m2.tobytes()  # any strides, the same bits
executed

# %% [markdown]
# Every bit is explained by the order; nothing else is special about the device. No atomics are in these kernels, so a run
# gives the same bits each time.
#
# ## Which suspect costs digits?
#
# One row of 2¹⁸ values round 1,000 standard deviations; each formula in each order of the device, with contraction and
# without.

# %%
FORMULAS = ("naive", "two_pass", "chan")
ORDERS = ("thread", "columns", "block", "block4", "grid", "grid4")
long = offset("float32", Stream("gpu", 1), 1, 2**18, kappa=1e3)[np.newaxis]
exact = Exact.variance(truth(long))
lost = {}
for formula in FORMULAS:
    for order in ORDERS:
        name = "welford/thread" if (formula, order) == ("chan", "thread") else f"{formula}/{order}"
        for contracted in (False, True):
            variance = moments(long, name, contracted=contracted).variance()
            lost[formula, order, contracted] = abs(exact.errors(variance)[0])
for formula in FORMULAS:
    for contracted in (False, True):
        shown = "  ".join(f"{order} {lost[formula, order, contracted]:.1e}" for order in ORDERS)
        print(f"{formula:<9} {'contracted' if contracted else 'separate':<11}{shown}")
for formula in ("two_pass", "chan"):
    for order in ORDERS:
        assert 1 / 4 < lost[formula, order, True] / lost[formula, order, False] < 4
assert lost["naive", "block4", True] > 5 * lost["naive", "block4", False]
for contracted in (False, True):
    for formula in FORMULAS:
        assert lost[formula, "thread", contracted] > 50 * lost[formula, "grid4", contracted]
    assert max(lost[f, "grid4", contracted] for f in ("two_pass", "chan")) < 2e-6
    assert lost["naive", "grid4", contracted] > 1e3 * lost["two_pass", "grid4", contracted]

# %%
fig, ax = plt.subplots(figsize=(8.5, 3.8))
for formula, colour, marker in zip(FORMULAS, (ORANGE, VIOLET, GREEN), "osv"):
    for contracted in (False, True):
        values = [max(lost[formula, order, contracted], 1e-8) for order in ORDERS]
        ax.plot(
            np.arange(len(ORDERS)) + (0.06 if contracted else -0.06), values, marker, ls="-" if contracted else "--",
            color=colour, mfc=colour if contracted else "white", ms=6.5, lw=1,
            label=f"{formula}, {'contracted' if contracted else 'separate'}",
        )
ax.axhline(1, color=GREY, ls=(0, (2, 2)), lw=1)
ax.set_yscale("log")
ax.set_xticks(range(len(ORDERS)), ORDERS)
ax.set(title="Error of the variance on the device: order against contraction", ylabel="relative error (at least 10⁻⁸)")
ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.1))
plt.show()

# %% [markdown]
# For the two stable formulas the full and the open markers lie nearly on each other: contraction changes bits, not digits.
# For the naive one it can change a digit, in either direction (here in `block4`), as everything does where only rounding
# errors are left. Going from one thread a row to a grid of blocks gains at least a factor of 50 for each formula, since
# a GPU's order *is* a tree.
#
# ## What to do
#
# - **Expect other bits, not fewer digits.** A GPU's order is good; its parallelism is what makes it so.
# - **Take care with differences of squares.** With contraction they leave a remainder where the exact answer is 0, half
#   the time a negative one. Use a formula without such a difference, or compile with contraction off (`nvcc -fmad=false`).
# - **Compare a GPU with an execution of the same PTX**, not with a CPU kernel of another order: then every bit has to be
#   the same, and a test needs no tolerance.
#
# ## Exercises
#
# 1. In `gpu_block`, merge neighbouring lanes (0 with 1, 2 with 3, ...) instead of lanes that are half a warp apart. Are the
#    bits the same? Is the error?
# 2. Would a CPU kernel of another order pass a test that compares bits?
#
# ## Answers

# %%
def neighbours(state, n):
    while state[0].shape[1] > 1:
        left, right = ([field[:, k::2] for field in state] for k in (0, 1))
        state, n = merge(left, n, right, n), 2 * n
    return state, n


half_a_warp, tree = tree, neighbours
other = gpu_block(row[0])
tree = half_a_warp
small = Exact.variance(truth(row[np.newaxis]))
for name, state in (("half a warp apart", replayed), ("neighbours", other)):
    print(f"{name:<18} m2 {state[1]!r:<24} relative error {abs(small.errors([state[1] / F32(row.size)])[0]):.1e}")
assert other[1].tobytes() != replayed[1].tobytes()
chan = varkernels.moments(row[np.newaxis], "chan")
print("chan on the CPU has the kernel's bits:", chan.m2[0].tobytes() == executed.m2[0].tobytes())
assert chan.m2[0].tobytes() != executed.m2[0].tobytes()

# %% [markdown]
# Other bits, and an error of the same size: both orders are trees. So a test that compares bits has to know the order, and
# a kernel of another order does not pass it.

"""Arrays on a GPU, without a GPU: the stand-in for the driver executes the very PTX that a GPU would get.

Answers are compared, bit for bit, with the CPU's mirror of the kernels, which shares no code with them but the verbs.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from cuda_stand_in import Cupy, Jax, Numba, StandIn, Torch, loaded, on_the_cpu

import varkernels
import varstudy
from varkernels import FORMATS
from varkernels.cuda import DeviceError, DeviceMemoryError, DeviceMoments, mirror
from varkernels.cuda import moments as cuda_moments
from varkernels.cuda.devices.driver import driven_by
from varkernels.cuda.devices.gpu import Gpu
from varkernels.cuda.tensors.dlpack import DeviceBuffer, opened
from varkernels.formats import Format

KINDS = ("torch", "cupy", "numba", "jax")
STREAM = 4096


class Kind(NamedTuple):
    """A library's stand-in, what copies an array to a GPU, and the class of its arrays."""

    library: Any
    put: Callable[..., Any]
    array: type


@contextmanager
def on_gpu(kind: str, driver: StandIn, stream: int = 0) -> Iterator[Kind]:
    """Within the context the driver is the stand-in, and a library is loaded."""
    made: dict[str, Any] = {"torch": Torch, "cupy": Cupy, "numba": Numba}
    library = Jax(driver) if kind == "jax" else made[kind](driver, stream)
    put = {"torch": "tensor", "cupy": "array", "numba": "to_device", "jax": "asarray"}[kind]
    array = {"torch": "Tensor", "cupy": "ndarray", "numba": "DeviceNDArray", "jax": "Array"}[kind]
    with ExitStack() as stack:
        stack.enter_context(driven_by(driver))
        stack.enter_context(loaded(**({} if kind == "jax" else {"numba_cuda" if kind == "numba" else kind: library})))
        yield Kind(library, getattr(library, put), getattr(library, array))
    gc.collect()
    assert driver.contexts == [], "a context stays pushed"


def values(shape: tuple[int, ...], storage: str, seed: int = 1) -> Any:
    drawn = 30 + 2 * np.random.default_rng(seed).standard_normal(shape)
    return drawn.astype(FORMATS[storage].dtype)


def stored(rows: varkernels.Moments, want: str, correction: float, fmt: Format) -> Any:
    """An answer of the mirror, in another format."""
    found = rows.mean if want == "mean" else rows.variance(correction)
    exact = found.astype(np.float64)
    if want == "std":
        exact = rows.accumulator.rounded(np.sqrt(exact)).astype(np.float64)
    return fmt.rounded(exact)


def same(found: Any, wanted: Any) -> None:
    """Equal in every bit; any NaN is any other."""
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    nan = np.isnan(found)
    assert (nan == np.isnan(wanted)).all()
    assert found[~nan].tobytes() == wanted[~nan].tobytes()


class Layout(NamedTuple):
    """An array's shape and strides, the axes to reduce, the rows as a view for the mirror, and the kernel."""

    shape: tuple[int, ...]
    lay: Callable[[Any], Any]
    axis: Any
    view: Callable[[Any], Any]
    out: tuple[int, ...]
    algorithm: str


def plain(x: Any) -> Any:
    return x


LAYOUTS = {
    "rows": Layout((5, 700), plain, 1, lambda x: x[None], (5,), "chan/grid4"),
    "columns": Layout((70, 9), plain, 0, lambda x: x[:, :, None], (9,), "chan/columns"),
    "all": Layout((6, 7, 8), plain, None, lambda x: x.reshape(1, 1, -1), (), "chan/grid4"),
    "NCHW batch": Layout((3, 4, 5, 6), plain, (0, 2, 3), lambda x: x.reshape(3, 4, 30), (4,), "chan/grid4"),
    "NHWC batch": Layout((3, 5, 6, 4), plain, (0, 1, 2), lambda x: x.reshape(90, 4, 1), (4,), "chan/columns"),
    "NHWC instance": Layout(
        (3, 5, 6, 4), plain, (1, 2), lambda x: x.reshape(3, 30, 4, 1), (3, 4), "chan/columns"
    ),
    "channels_last": Layout(  # NCHW in shape, NHWC in memory
        (3, 5, 6, 4), lambda x: x.transpose(0, 3, 1, 2), (0, 2, 3),
        lambda x: x.transpose(0, 2, 3, 1).reshape(90, 4, 1), (4,), "chan/columns",
    ),
    "channels_last, all": Layout(
        (3, 5, 6, 4), lambda x: x.transpose(0, 3, 1, 2), None, lambda x: x.transpose(0, 2, 3, 1).reshape(1, 1, -1), (),
        "chan/grid4",
    ),
    "steps": Layout((8, 90), lambda x: x[::2, 1::3], 1, lambda x: x[None], (4,), "chan/grid4"),
    "backwards": Layout((4, 60), lambda x: x[::-1, ::-1], 1, lambda x: x[None], (4,), "chan/grid4"),
    "one value each": Layout((3, 5), plain, (), lambda x: x.reshape(1, 15, 1), (3, 5), "chan/grid4"),
    "three that stay": Layout(
        (2, 3, 4, 5, 6), lambda x: x.transpose(0, 4, 2, 1, 3), 3,
        lambda x: x.transpose(3, 0, 1, 2, 4).reshape(3, 240, 1),
        (2, 6, 4, 5), "chan/columns",
    ),
    "several parts": Layout((2, 40_000), plain, 1, lambda x: x[None], (2,), "chan/grid4"),
}  # fmt: skip


def taken(kind: str, layout: str, storage: str) -> bool:
    """Numba and CuPy have no bfloat16; JAX's arrays have no negative strides."""
    return not (kind in ("cupy", "numba") and storage == "bfloat16") and not (kind == "jax" and layout == "backwards")


CELLS = [
    (kind, layout, storage)
    for kind in KINDS
    for layout in LAYOUTS
    for storage in FORMATS
    if taken(kind, layout, storage) and (kind == "torch" or storage in ("float32", "bfloat16"))
]


@pytest.mark.parametrize(("kind", "layout", "storage"), CELLS)
def test_answers_are_the_mirrors(kind: str, layout: str, storage: str) -> None:
    shape, lay, axis, view, out, algorithm = LAYOUTS[layout]
    driver = StandIn()
    with on_gpu(kind, driver) as made:
        host = lay(values(shape, storage))
        x = made.put(host)
        rows = mirror.moments(view(host), algorithm)
        fmt = FORMATS[storage]
        mean, variance = varstudy.mean_var(x, axis=axis, correction=0.5)
        deviation = varstudy.std(x, axis=axis)
        for found, want, correction in ((mean, "mean", 0), (variance, "var", 0.5), (deviation, "std", 0)):
            assert isinstance(found, made.array)
            same(found.read(), stored(rows, want, correction, fmt).reshape(out))
        same(x.read(), host)
        del x, mean, variance, deviation, found
    assert driver.live == {}


@pytest.mark.parametrize("kind", KINDS)
def test_launches(kind: str) -> None:
    """The kernels, grids, arguments, stream and GPU of a reduction whose rows have several parts."""
    driver = StandIn()
    with on_gpu(kind, driver, STREAM) as made:
        x = made.put(values((2, 40_000), "float32"), 1)
        found = varstudy.var(x, axis=1, correction=1)
        stream = 1 if kind == "jax" else STREAM if kind == "numba" else STREAM + 1
        assert [(each.entry, each.grid, each.block) for each in driver.launched] == [
            ("chan_sweep4_float32_float32", 2 * 5, 256),
            ("chan_finish_float32", 2, 32),
            ("answers", 1, 128),
        ]
        assert {each.stream for each in driver.launched} == {stream}
        assert {each.ordinal for each in driver.launched} == {1}
        sweep, finish, answers = (each.arguments for each in driver.launched)
        assert sweep[0] == x.place
        assert sweep[1:12] == (2, 2, 40_000, 40_000, 0, 0, 40_000, 1, 1, 5, 256)
        assert finish == (2, 5, sweep[13], sweep[14], sweep[15])
        divisor = int(np.float64(40_000 - 1).view(np.int64))
        assert answers == (finish[4], 2, 0, 2, divisor, 2, found.place, 2, 0, 4)
        assert driver.live[found.block.address][0] == 1
        if kind == "jax":
            assert driver.calls[-3:] == ["cuCtxPushCurrent_v2", "cuStreamSynchronize", "cuCtxPopCurrent_v2"] or (
                "cuStreamSynchronize" in driver.calls
            )
        else:
            assert "cuStreamSynchronize" not in driver.calls, "nothing waits"
            assert "cuMemAlloc_v2" not in driver.calls, "its own library allocates"


@pytest.mark.parametrize("kind", KINDS)
def test_modules_are_loaded_once_a_gpu(kind: str) -> None:
    driver = StandIn()
    with on_gpu(kind, driver) as made:
        for ordinal in (0, 1, 0, 1):
            x = made.put(values((3, 8), "float32"), ordinal)
            for _ in range(2):
                varstudy.var(x, axis=1)
        assert sorted(driver.loaded) == [
            (ordinal, entry) for ordinal in (0, 1) for entry in ("answers", "chan_sweep4_float32_float32")
        ]
        assert all(text.count(".version 7.0") == text.count(".target sm_75") == 1 for text in driver.texts)


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group", "flat"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NC", "NDHWC"])
def test_feature_moments(norm: str, layout: str) -> None:
    shapes = {"NCHW": (2, 6, 3, 5), "NHWC": (2, 3, 5, 6), "NC": (9, 6), "NDHWC": (2, 2, 3, 2, 6)}
    host = values(shapes[layout], "float16")
    driver = StandIn()
    with on_gpu("torch", driver) as made:
        found = varstudy.feature_moments(made.put(host), (norm,), layout=layout, groups=3)[norm]
        view = varkernels.views.view(host, norm, layout=layout, groups=3 if norm == "group" else None)
        exact = varstudy.feature_moments(host, (norm,), layout=layout, groups=3)[norm]
        assert isinstance(found, DeviceMoments)
        assert found.shape == exact.shape
        assert (found.count == exact.count).all()
        assert found.dtype == exact.dtype
        assert found.algorithm in ("chan/grid4", "chan/columns")
        rows = mirror.moments(view, found.algorithm)
        same(found.mean.read(), stored(rows, "mean", 0, found.format).reshape(exact.shape))
        same(found.variance(1).read(), stored(rows, "var", 1, found.format).reshape(exact.shape))
        same(found.std().read(), stored(rows, "std", 0, found.format).reshape(exact.shape))


@pytest.mark.parametrize("algorithm", [None, "two_pass/grid4", "welford/thread", "naive/columns", "two_pass/held"])
@pytest.mark.parametrize("kind", KINDS)
def test_varkernels_moments(kind: str, algorithm: str | None) -> None:
    host = values((2, 3, 50), "float32")
    named = () if algorithm is None else (algorithm,)
    with on_gpu(kind, StandIn()) as made:
        x = made.put(host)
        found: Any = varkernels.moments(x, *named)
        rows = mirror.moments(host, algorithm or "chan/grid4")
        assert (found.algorithm, len(found)) == (algorithm or "chan/grid4", 3)
        assert (found.count == rows.count).all()
        same(found.mean.read(), rows.mean)
        same(found.m2.read(), rows.m2)
        same(found.variance(1).read(), rows.variance(1))
        other: Any = cuda_moments(x, algorithm or "chan/grid4", device="cuda", contracted=False)
        same(other.m2.read(), mirror.moments(host, algorithm or "chan/grid4", contracted=False).m2)


def test_a_view_of_four_dimensions_is_blocks_of_rows() -> None:
    host = values((2, 3, 4, 5), "float64").transpose(0, 3, 1, 2)
    with on_gpu("torch", StandIn()) as made:
        found: Any = varkernels.moments(made.put(host), "chan/grid")
        same(found.m2.read(), mirror.moments(host, "chan/grid").m2)
        assert found.shape == (6,)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_another_result_dtype(dtype: str) -> None:
    host = values((4, 33), "float32") * np.float32(1e3)
    with on_gpu("torch", StandIn()) as made:
        x = made.put(host)
        found = varstudy.var(x, axis=1, dtype=dtype)
        same(found.read(), stored(mirror.moments(host[None], "chan/grid4"), "var", 0, FORMATS[dtype]))
        with pytest.raises(ValueError, match=r"dtype=float64: the kernels accumulate float32 values in float32; conv"):
            varstudy.var(x, axis=1, dtype="float64")


HARD = [0.0, -0.0, 1e-300, 5e-324, 1e300, -1e300, math.inf, -math.inf, math.nan, 65504.0, 65519.9, 65520.0, 1 / 3,
        1 + 2**-8, 1 + 2**-8 + 2**-40, 1 + 3 * 2**-8 - 2**-45, 3.3895313892515355e38, 3.4e38, 2**-133 * 1.5,
        2**-134]  # fmt: skip


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_one_rounding_to_every_dtype(dtype: str) -> None:
    """A mean of one float64 value is that value rounded once: halves between two numbers, subnormals, overflow, NaN."""
    drawn = np.random.default_rng(5).integers(0, 2**64, 300, dtype=np.uint64).view(np.float64)
    near = np.random.default_rng(6).standard_normal(300).astype(np.float32).astype("float64") * (1 + 2**-9)
    host = np.concatenate([HARD, drawn, near]).reshape(-1, 1)
    with on_gpu("torch", StandIn()) as made, np.errstate(all="ignore"):
        same(varstudy.mean(made.put(host), axis=1, dtype=dtype).read(), FORMATS[dtype].rounded(host[:, 0] + 0.0))


@pytest.mark.parametrize("kind", KINDS)
def test_without_values_it_is_nan_and_warned_of(kind: str) -> None:
    with on_gpu(kind, StandIn()) as made:
        x = made.put(np.zeros((0, 3), np.float32))
        with pytest.warns(RuntimeWarning, match=r"Degrees of freedom <= 0 for slice"):
            found = varstudy.var(x, axis=0)
        same(found.read(), np.full(3, np.nan, np.float32))
        with pytest.warns(RuntimeWarning, match=r"Mean of empty slice"):
            same(varstudy.mean(x, axis=0, keepdims=True).read(), np.full((1, 3), np.nan, np.float32))
        none = varstudy.var(x, axis=1)
        assert none.form == (0,)
        one = made.put(np.ones((1, 3), np.float32))
        with pytest.warns(RuntimeWarning, match=r"Degrees of freedom <= 0 for slice"):
            assert np.isnan(varstudy.var(one, axis=0, correction=1).read()).all()
        same(varstudy.var(one, axis=0).read(), np.zeros(3, np.float32))


# What is refused ----------------------------------------------------------------------------------------------------


def test_what_is_not_taken_has_a_sentence() -> None:
    with on_gpu("torch", StandIn()) as made:
        x = made.put(values((4, 6), "float32"))
        for words, sentence in (
            ({"where": np.ones((4, 6), bool)}, r"where is not taken with an array on a GPU: copy x to the computer's"),
            ({"weights": [1] * 6, "axis": 1}, r"weights are not taken with an array on a GPU"),
            ({"by": list("ababab"), "axis": 1}, r"by is not taken with an array on a GPU"),
            ({"nan_policy": "omit"}, r"nan_policy is 'propagate' for an array on a GPU"),
            ({"method": "exact"}, r"method='exact' is not computed for an array on a GPU: copy x"),
            ({"method": "chan/gird4"}, r"CUDA algorithm 'chan/gird4' is unknown: did you mean chan/grid4"),
            ({"axis": 2}, r"axis 2 is out of bounds"),
        ):
            with pytest.raises(ValueError, match=sentence):
                varstudy.var(x, **words)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"centre is not taken with an array on a GPU"):
            varkernels.moments(made.put(values((1, 4, 6), "float32")), centre=3.0)
        with pytest.raises(ValueError, match=r"algorithm 'chan/tree' has no CUDA kernel|has no CUDA kernel"):
            varkernels.moments(made.put(values((1, 4, 6), "float32")), varkernels.get("chan/running"))
        with pytest.raises(ValueError, match=r"view has shape \(4, 6\): it must be"):
            varkernels.moments(x)
        with pytest.raises(ValueError, match="exact is not computed for an array on a GPU: copy it"):
            varkernels.cuda.moments(made.put(values((1, 4, 6), "float32")), "exact", device="cuda")
        with pytest.raises(ValueError, match=r"accumulator=float64: the device accumulates float32 values in float32"):
            varkernels.moments(made.put(values((1, 4, 6), "float32")), accumulator="float64")


@pytest.mark.parametrize("kind", KINDS)
def test_dtypes_without_kernels(kind: str) -> None:
    driver = StandIn()
    with on_gpu(kind, driver) as made:
        for dtype in ("int64", "bool", "complex64", "uint8"):
            with pytest.raises(
                TypeError, match=rf"x lies on a GPU and has the dtype {dtype}.*: the kernels take float16"
            ):
                varstudy.var(made.put(np.ones(3, dtype)))


def test_strides_that_no_kernel_takes() -> None:
    host = values((3, 4, 5, 6, 7), "float32")
    with on_gpu("torch", StandIn()) as made:
        with pytest.raises(
            ValueError, match=r"which the kernels do not take over axis=\(0, 2, 4\): give a copy whose val"
        ):
            varstudy.var(made.put(host), axis=(0, 2, 4))
        backwards = values((17, 17, 17, 17, 2), "float32").transpose(3, 2, 1, 0, 4)
        with pytest.raises(ValueError, match=r"which the kernels do not take over axis=\(4,\)"):
            varstudy.var(made.put(backwards), axis=4)
        records = np.zeros(30, dtype=[("a", np.int8), ("x", np.float32)])
    with (
        on_gpu("cupy", StandIn()) as made,
        pytest.raises(ValueError, match=r"strides \(5,\) bytes for values of 4: give a copy"),
    ):
        varstudy.var(made.put(records["x"]))


def test_a_masked_array_and_another_byte_order_are_refused() -> None:
    driver = StandIn()
    with driven_by(driver):
        words = {"shape": (3,), "typestr": "<f4", "data": (driver.place(12, 0), True), "version": 3, "mask": object()}
        with pytest.raises(ValueError, match="x lies on a GPU and has a mask"):
            varstudy.var(SimpleNamespace(__cuda_array_interface__=words))
        with pytest.raises(TypeError, match="float32 of another byte order"):
            varstudy.var(SimpleNamespace(__cuda_array_interface__={**words, "mask": None, "typestr": ">f4"}))


def test_a_stranger_gets_a_buffer_that_others_take_over() -> None:
    """An object that has nothing but the array interface, read-only: the answer offers it and DLPack."""
    driver = StandIn()
    host = values((5, 40), "float32")
    with driven_by(driver):
        address = driver.place(host.nbytes, 1)
        driver.bytes_at(address, host.nbytes)[:] = host.reshape(-1).view(np.uint8)
        words = {"shape": host.shape, "typestr": "<f4", "data": (address, True), "version": 3, "stream": 7}
        found = varstudy.var(SimpleNamespace(__cuda_array_interface__=words), axis=1)
        assert repr(found) == "<DeviceBuffer of shape (5,), float32, on GPU 1>"
        assert found.__cuda_array_interface__["shape"] == (5,)
        taken_over = Jax(driver).from_dlpack(found)
        del found
        gc.collect()
        same(taken_over.read(), mirror.moments(host[None], "chan/grid4").variance())
        assert len(driver.live) == 2
        del taken_over
        gc.collect()
        assert list(driver.live) == [address], "freed with the last that has it"
        capsule = varstudy.var(SimpleNamespace(__cuda_array_interface__=words), axis=1).__dlpack__()
        assert len(driver.live) == 2
        del capsule
        gc.collect()
        assert list(driver.live) == [address], "nobody took it over"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool", "complex64"])
def test_what_numpy_hands_over_by_dlpack_is_read(dtype: str) -> None:
    """numpy's own capsules, of arrays on the CPU: the structure is read as others write it."""
    array = np.ones((3, 4, 5), dtype)[:, ::2].transpose(2, 0, 1)
    capsule = array.__dlpack__()
    found = opened(capsule)
    assert found.address == array.__array_interface__["data"][0]
    assert found.shape == array.shape
    assert tuple(step * array.itemsize for step in found.strides) == array.strides
    assert (found.dtype, found.ordinal) == (dtype, 0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_takes_a_buffer_over(dtype: str) -> None:
    """A buffer's capsule, as if it lay on the CPU: numpy reads the structure, and gives it back."""
    driver = StandIn()
    fmt = FORMATS[dtype]
    with driven_by(driver):
        buffer = DeviceBuffer(Gpu.get(), (2, 3), fmt)
    room = driver.bytes_at(buffer.address, 6 * fmt.dtype.itemsize)
    room.view(fmt.dtype)[:] = np.arange(6)

    class Here:
        def __init__(self, buffer: DeviceBuffer) -> None:
            self.buffer: DeviceBuffer | None = buffer

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

        def __dlpack__(self, **words: Any) -> Any:
            assert self.buffer is not None
            return on_the_cpu(self.buffer.__dlpack__(**words), room.ctypes.data)

    here = Here(buffer)
    found = np.from_dlpack(here)
    assert found.dtype == fmt.dtype
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    here.buffer = None
    del buffer
    gc.collect()
    assert len(driver.live) == 1
    del found
    gc.collect()
    assert driver.live == {}


def test_the_sentence_of_the_other_device() -> None:
    with on_gpu("torch", StandIn()) as made:
        x = made.put(values((1, 2, 3), "float32"))
        for function in (cuda_moments, mirror.moments):
            with pytest.raises(DeviceError, match=r"varkernels.cuda.moments\(view, device='cuda'\) computes there"):
                function(x, "chan/grid4")
        assert cuda_moments(x, device="cuda").m2.form == (2,)  # type: ignore[attr-defined]


# Errors of the driver -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("function", "code", "from_call", "error", "sentence"),
    [
        ("cuInit", 100, 0, DeviceError, "the driver finds no GPU"),
        ("cuDevicePrimaryCtxRetain", 2, 0, DeviceMemoryError, "the GPU is out of memory: cut the feature map"),
        ("cuModuleLoadDataEx", 218, 0, DeviceError, "refuses the PTX.*the driver's log: ptxas says no, line 3"),
        ("cuModuleLoadDataEx", 2, 1, MemoryError, "the GPU is out of memory"),
        ("cuModuleGetFunction", 999, 1, DeviceError, "the driver reports an error"),
        ("cuLaunchKernel", 719, 0, DeviceError, "a kernel ended in an error, and this process cannot use the GPU"),
        ("cuLaunchKernel", 700, 1, DeviceError, "please report it with the view's shape and strides"),
        ("cuCtxPushCurrent_v2", 719, 2, DeviceError, "a kernel ended in an error"),
    ],
)
def test_errors_leave_no_context_and_no_memory(
    kind: str, function: str, code: int, from_call: int, error: type, sentence: str
) -> None:
    driver = StandIn(fails={function: code}, fails_from={function: from_call}, log=b"ptxas says no,\n  line 3")
    with on_gpu(kind, driver) as made:
        x = made.put(values((2, 40_000), "float32"))
        with pytest.raises(error, match=sentence):
            varstudy.var(x, axis=1)
        gc.collect()
        assert list(driver.live) == [x.block.address]
        assert driver.contexts == []


@pytest.mark.parametrize("kind", ["torch", "cupy", "numba"])
def test_a_librarys_want_of_memory_is_ours(kind: str) -> None:
    with on_gpu(kind, StandIn()) as made:
        x = made.put(values((2, 30), "float32"))
        made.library.full = True
        with pytest.raises(MemoryError, match=r"the GPU is out of memory: cut the feature map.*\(OutOfMemoryError\)"):
            varstudy.var(x, axis=1)


def test_the_drivers_want_of_memory() -> None:
    driver = StandIn(fails={"cuMemAlloc_v2": 2}, fails_from={"cuMemAlloc_v2": 1})
    with on_gpu("jax", driver) as made:
        x = made.put(values((2, 40_000), "float32"))
        with pytest.raises(MemoryError, match="the GPU is out of memory"):
            varstudy.var(x, axis=1)
        gc.collect()
        assert list(driver.live) == [x.block.address], "the first buffer is freed"


def test_the_driver_floor_comes_first() -> None:
    driver = StandIn(version=10020)
    with on_gpu("torch", driver) as made:
        x = made.put(values((2, 3), "float32"))
        with pytest.raises(DeviceError, match=r"driver serves CUDA 10.2, the kernels need 11.0 or newer: update"):
            varstudy.var(x)
        assert driver.calls == ["cuDriverGetVersion"]


@pytest.mark.parametrize(
    ("driver", "ordinal", "sentence"),
    [
        (
            StandIn(attributes={75: 7, 76: 0}),
            0,
            r"GPU 0 \(Stand-in\) has the compute capability 7.0, the kernels need 7.5",
        ),
        (StandIn(gpus=1), 1, "there is no GPU of this number: see nvidia-smi"),
    ],
)
def test_a_gpu_that_is_too_old_or_not_there(driver: StandIn, ordinal: int, sentence: str) -> None:
    with on_gpu("torch", driver) as made, pytest.raises(DeviceError, match=sentence):
        varstudy.var(made.put(values((2, 3), "float32"), ordinal))


def test_a_t4_is_new_enough() -> None:
    with on_gpu("torch", StandIn(attributes={75: 7, 76: 5})) as made:
        varstudy.var(made.put(values((2, 3), "float32")))


def test_no_driver() -> None:
    with on_gpu("torch", StandIn()) as made:
        x = made.put(values((2, 3), "float32"))
        with driven_by(None), pytest.raises(DeviceError, match="there is no NVIDIA driver on this machine"):
            varstudy.var(x)


def test_what_lies_on_the_cpu_is_not_asked() -> None:
    """A class that raises for the question, and a tensor on the CPU, take their usual ways."""

    class Odd:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.arange(4.0)

        @property
        def __cuda_array_interface__(self) -> Any:
            raise RuntimeError("not now")

    assert varstudy.var(Odd()) == 1.25

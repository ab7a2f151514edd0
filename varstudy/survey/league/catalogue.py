"""The functions of the league: which library's, how each is called, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..._io.matching import matches, nearest
from ..environments import ENVIRONMENTS, Environment

__all__ = ["EATS", "FUNCTIONS", "PROBES", "Function", "chosen", "environment"]

PROBES = Path(__file__).parent.parent / "libraries" / "probes"

# What a function gets in one call: a row of one dimension; the rows of a matrix in memory; the columns of one.
EATS = ("row", "rows", "columns")

ALL = ("float16", "bfloat16", "float32", "float64")
NUMPY = ("float16", "float32", "float64")
WIDE = ("float32", "float64")

# What a loop over Python's floats gets through in seconds.
SHORT = 20_000
LONG = 70_000

# Environments that only the league has.
_OWN = {
    each.name: each
    for each in (
        Environment(
            "data",
            "3.11",
            (
                "numpy==2.4.6",
                "pandas==3.1.1",
                "polars==2.1.0",
                "pyarrow==26.0.1",
                "duckdb==2.0.1",
                "chdb==4.4.0",
                "scipy==1.17.1",
                "scikit-learn==1.9.1",
                "dask==2026.8.0",
                "xarray==2026.9.0",
                "river==0.26.1",
                "runstats==2.0.0",
                "welford==0.2.5",
                "opencv-python-headless==5.0.0.93",
                "numba==0.68.1",
            ),
            megabytes=1800,
            quirk="Without bottleneck, which changes what pandas answers.",
        ),
        Environment(
            "bottleneck",
            "3.11",
            ("numpy==2.4.6", "pandas==3.1.1", "bottleneck==1.6.0"),
            megabytes=190,
            quirk="pandas uses bottleneck where it is there.",
        ),
    )
}


def environment(name: str) -> Environment | None:
    """An environment of the league by its name; None for those that no CPU runs."""
    return _OWN.get(name) or ENVIRONMENTS.get(name)


@dataclass(frozen=True)
class Function:
    """A variance of a library.

    Attributes
    ----------
    name : the library's name and the function's, as its users write it.
    library : its name for people. environment : where it runs, see `varstudy.survey.environments`.
    adapter, key : the module in ``probes`` and its entry there.
    eats : one of `EATS`. storages : the formats that its values may have. max_length : it gets no longer rows.
    note : one sentence on how it is called, where that is not plain. gpu : whether it needs a GPU.
    """

    name: str
    library: str
    environment: str
    adapter: str
    key: str
    eats: str = "row"
    storages: tuple[str, ...] = NUMPY
    max_length: int = LONG
    note: str = ""
    gpu: bool = False


def _of(
    library: str, environment: str, storages: tuple[str, ...] = NUMPY, adapter: str = "", gpu: bool = False
) -> Callable[..., Function]:
    """What makes the functions of one adapter."""

    def made(
        key: str,
        name: str = "",
        eats: str = "row",
        *,
        note: str = "",
        short: bool = False,
        whose: str = library,
        storages: tuple[str, ...] = storages,
    ) -> Function:
        module = adapter or f"on_{library.lower()}"
        length = SHORT if short else LONG
        return Function(name or f"{library}.{key}", whose, environment, module, key, eats, storages, length, note, gpu)

    return made


_numpy = _of("numpy", "data")
_scipy = _of("scipy", "data")
_statistics = _of("statistics", "data")
_sklearn = _of("scikit-learn", "data", adapter="on_sklearn")
_dask = _of("dask", "data")
_xarray = _of("xarray", "data")
_pandas = _of("pandas", "data")
_with = _of("pandas with bottleneck", "bottleneck", adapter="on_pandas")
_bottleneck = _of("bottleneck", "bottleneck")
_polars = _of("polars", "data")
_pyarrow = _of("pyarrow", "data", WIDE)
_duckdb = _of("duckdb", "data", WIDE)
_clickhouse = _of("ClickHouse", "data", WIDE, adapter="on_chdb")
_stream = _of("streams", "data")
_opencv = _of("OpenCV", "data", WIDE)
_numba = _of("numba", "data", WIDE)
_torch = _of("torch", "core", ALL)
_tf = _of("tensorflow", "core", ALL)
_jax = _of("jax", "core", ALL)
_mlx = _of("mlx", "core", ALL)
_tinygrad = _of("tinygrad", "core", ALL)
_paddle = _of("paddle", "paddle", ALL)
_mxnet = _of("mxnet", "mxnet")
_sqlite = _of("SQLite", "data", ("float64",))
_postgresql = _of("PostgreSQL", "data", WIDE)
_cupy = _of("cupy", "cupy", gpu=True)
_cudf = _of("cudf", "cudf", gpu=True)

_CHUNKS = "in chunks of 1,000 values"
_WINDOW = "one window that holds all values"
_COLUMN = "the rows are columns of one matrix"

_ALL: tuple[Function, ...] = (
    _numpy("1-D", "numpy.var"),
    _numpy("axis -1", "numpy.var axis=-1", "rows"),
    _numpy("axis 0", "numpy.var axis=0", "columns"),
    _numpy("axis -1, Fortran order", "numpy.var axis=-1, Fortran order", "rows", note="the matrix in the other order"),
    _numpy("nanvar", "numpy.nanvar"),
    _numpy("float64", "numpy.var dtype=float64"),
    _torch("var"),
    _torch("var, dim -1", "torch.var dim=-1", "rows"),
    _torch("var, dim 0", "torch.var dim=0", "columns"),
    _torch("var_mean"),
    _torch("var_mean, dim -1", "torch.var_mean dim=-1", "rows"),
    _torch("var_mean, dim 0", "torch.var_mean dim=0", "columns"),
    _tf("reduce_variance", "tf.math.reduce_variance"),
    _tf("reduce_variance, axis -1", "tf.math.reduce_variance axis=-1", "rows"),
    _tf("reduce_variance, axis 0", "tf.math.reduce_variance axis=0", "columns"),
    _tf("moments", "tf.nn.moments"),
    _tf("moments, axis 0", "tf.nn.moments axes=[0]", "columns"),
    _tf("sufficient_statistics", "tf.nn.sufficient_statistics", note="with tf.nn.normalize_moments, without a shift"),
    _tf("reduce_variance, XLA", "tf.math.reduce_variance, XLA", note="tf.function(jit_compile=True)"),
    _tf("moments, XLA", "tf.nn.moments, XLA", note="tf.function(jit_compile=True)"),
    _jax("numpy.var"),
    _jax("numpy.var, axis -1", "jax.numpy.var axis=-1", "rows"),
    _jax("numpy.var, axis 0", "jax.numpy.var axis=0", "columns"),
    _jax("jit(numpy.var)", "jax.jit(jax.numpy.var)"),
    _jax("jit(numpy.var), axis 0", "jax.jit(jax.numpy.var) axis=0", "columns"),
    _paddle("var"),
    _paddle("var, axis -1", "paddle.var axis=-1", "rows"),
    _paddle("var, axis 0", "paddle.var axis=0", "columns"),
    _mxnet("np.var"),
    _mxnet("np.var, axis -1", "mxnet.np.var axis=-1", "rows"),
    _mxnet("np.var, axis 0", "mxnet.np.var axis=0", "columns"),
    _mxnet("nd.moments"),
    _mlx("var"),
    _mlx("var, axis -1", "mlx.var axis=-1", "rows"),
    _mlx("var, axis 0", "mlx.var axis=0", "columns"),
    _tinygrad("Tensor.var"),
    _tinygrad("Tensor.var, axis -1", "tinygrad.Tensor.var axis=-1", "rows"),
    _tinygrad("Tensor.var, axis 0", "tinygrad.Tensor.var axis=0", "columns"),
    _pandas("Series.var"),
    _pandas("DataFrame.var, axis 0", "pandas.DataFrame.var axis=0", "columns"),
    _pandas("DataFrame.var, axis 1", "pandas.DataFrame.var axis=1", "rows"),
    _pandas("groupby.var", note="one group that holds all values"),
    _pandas("rolling.var", note=_WINDOW),
    _pandas("rolling.var after large values", note="a window that went over as many values a million times as large"),
    _pandas("expanding.var"),
    _with("Series.var", "pandas.Series.var with bottleneck"),
    _with("DataFrame.var, axis 0", "pandas.DataFrame.var axis=0 with bottleneck", "columns"),
    _with("DataFrame.var, axis 1", "pandas.DataFrame.var axis=1 with bottleneck", "rows"),
    _with("groupby.var", "pandas.groupby.var with bottleneck", note="one group that holds all values"),
    _with("rolling.var", "pandas.rolling.var with bottleneck", note=_WINDOW),
    _bottleneck("nanvar"),
    _bottleneck("nanvar, axis -1", "bottleneck.nanvar axis=-1", "rows"),
    _bottleneck("nanvar, axis 0", "bottleneck.nanvar axis=0", "columns"),
    _bottleneck("move_var", storages=WIDE, note=f"{_WINDOW}; float16 takes it quadratic time"),
    _polars("Series.var"),
    _polars("group_by.var", note="one group that holds all values"),
    _polars("rolling_var", note=_WINDOW),
    _pyarrow("compute.variance"),
    _pyarrow("compute.variance, chunks", "pyarrow.compute.variance of chunks", note=_CHUNKS),
    _pyarrow("group_by, variance", "pyarrow.Table.group_by", note="one group that holds all values"),
    _duckdb("var_pop"),
    _duckdb("var_samp"),
    _duckdb("variance"),
    _clickhouse("varPop"),
    _clickhouse("varPopStable"),
    _clickhouse("varSamp"),
    _clickhouse("varSampStable"),
    _sqlite("any variance", "SQLite: none", note="asked for every name that other databases have", short=True),
    _postgresql("var_pop", short=True),
    _postgresql("var_samp", short=True),
    _postgresql("variance", short=True),
    _scipy("stats.describe"),
    _scipy("stats.tvar"),
    _scipy("stats.moment", note="the second"),
    _scipy("ndimage.variance"),
    _sklearn("StandardScaler.fit", "sklearn.StandardScaler.fit", "columns", note=_COLUMN),
    _sklearn("StandardScaler.partial_fit", "sklearn.StandardScaler.partial_fit", "columns", note=_CHUNKS),
    _sklearn("VarianceThreshold.fit", "sklearn.VarianceThreshold.fit", "columns", note=_COLUMN),
    _sklearn("mean_variance_axis", "sklearn.mean_variance_axis of a sparse matrix", "columns", note="in CSR, axis 0"),
    _dask("array.var", note=_CHUNKS),
    _xarray("DataArray.var"),
    _xarray("DataArray.var, skipna=False", "xarray.DataArray.var skipna=False"),
    _statistics("pvariance", short=True),
    _statistics("variance", short=True),
    _stream("river Var.update", "river.stats.Var.update", short=True, whose="river"),
    _stream("river Var.update_many", "river.stats.Var.update_many", note=_CHUNKS, whose="river"),
    _stream("river Rolling(Var)", "river.utils.Rolling(stats.Var)", short=True, note=_WINDOW, whose="river"),
    _stream("runstats Statistics", "runstats.Statistics", short=True, whose="runstats"),
    _stream("runstats.core Statistics", "runstats.core.Statistics", short=True, whose="runstats"),
    _stream("welford add", "welford.Welford.add", short=True, whose="welford"),
    _stream("welford add_all", "welford.Welford.add_all", short=True, note=_CHUNKS, whose="welford"),
    _stream("welford merge", "welford.Welford.merge", note=_CHUNKS, short=True, whose="welford"),
    _opencv("meanStdDev squared", "cv2.meanStdDev, squared", note="it has no variance: the square of its deviation"),
    _opencv("calcCovarMatrix", "cv2.calcCovarMatrix", note="of one variable"),
    _numba("np.var", "numba: np.var"),
    _numba("np.nanvar", "numba: np.nanvar"),
    _numba("np.var, fastmath", "numba: np.var, fastmath=True"),
    _cupy("var"),
    _cupy("var, axis -1", "cupy.var axis=-1", "rows"),
    _cupy("var, axis 0", "cupy.var axis=0", "columns"),
    _cudf("Series.var"),
)
FUNCTIONS: dict[str, Function] = {each.name: each for each in _ALL}


def chosen(only: str | None) -> list[Function]:
    """The functions whose name or library matches a glob or contains the text; all without one.

    Parameters
    ----------
    only : the glob or the text, upper and lower case one; None for all.

    Raises
    ------
    ValueError
        None does; the sentence suggests near names.
    """
    found = [each for each in _ALL if only is None or matches(each.name, only) or matches(each.library, only)]
    if not found:
        names = [*FUNCTIONS, *dict.fromkeys(each.library for each in _ALL)]
        hint = nearest(only or "", names, "'python -m varstudy libraries --list' names them")
        raise ValueError(f"{only!r} is no function of the league: {hint}")
    return found

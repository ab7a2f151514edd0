"""Environments that several frameworks or libraries share."""

from __future__ import annotations

from .declaring import Environment, Need

__all__ = ["BOTTLENECK", "CORE", "DATA", "MXNET", "PADDLE", "THEANO"]

CORE = Environment(
    "core",
    "3.11",
    (
        "torch==2.13.0",
        "tensorflow-cpu==2.21.0",
        "keras==3.15.1",
        "jax==0.10.2",
        "jaxlib==0.10.2",
        "flax==0.12.8",
        "dm-haiku==0.0.17",
        "equinox==0.13.8",
        "onnx==1.23.2",
        "onnxruntime==1.32.0",
        "mlx[cpu]==0.32.4",
        "tinygrad==0.14.0",
    ),
    without_dependencies=("tf_keras==2.21.0",),
    needs=(Need("clang-14", command="clang-14"),),
    installer="pip",
    megabytes=3300,
    quirk="tf_keras goes in without its dependencies, which would bring a second TensorFlow; tinygrad compiles "
    "with clang.",
    aliases={"tensorflow": "tensorflow-cpu", "haiku": "dm-haiku"},
)
PADDLE = Environment("paddle", "3.11", ("paddlepaddle==3.3.1",), megabytes=870, aliases={"paddle": "paddlepaddle"})
MXNET = Environment(
    "mxnet",
    "3.8",
    ("mxnet==1.9.1", "numpy==1.23.5"),
    megabytes=290,
    quirk="It uses np.bool, which numpy 1.24 no longer has.",
)
THEANO = Environment(
    "theano",
    "3.7",
    ("keras==2.3.1", "theano==1.0.5", "numpy==1.19.5", "h5py<3"),
    needs=(Need("g++", command="g++"),),
    megabytes=240,
    quirk="Keras 2.3.1 is the last that runs on Theano.",
)
DATA = Environment(
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
)
BOTTLENECK = Environment(
    "bottleneck",
    "3.11",
    ("numpy==2.4.6", "pandas==3.1.1", "bottleneck==1.6.0"),
    megabytes=190,
    quirk="pandas uses bottleneck where it is there.",
)

"""The environments in which frameworks run: a Python, pinned packages, and what the system must bring."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ENVIRONMENTS", "Environment", "Need", "library"]

# Where a system keeps shared libraries.
LIBRARIES = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/lib64")


def library(name: str) -> Path | None:
    """A shared library of the system by its file name; None where there is none."""
    for folder in LIBRARIES:
        for found in sorted(Path("/").glob(folder.removeprefix("/") + "/" + name)):
            return found
    return None


@dataclass(frozen=True)
class Need:
    """A package of the system that must be there; it is never installed from here.

    Attributes
    ----------
    package : Debian's name of it. command, library : what tells that it is there: a program on PATH, a library's file.
    """

    package: str
    command: str = ""
    library: str = ""

    def met(self) -> bool:
        """Whether it is there."""
        if self.command and shutil.which(self.command) is None:
            return False
        return not self.library or library(self.library) is not None


@dataclass(frozen=True)
class Environment:
    """One environment.

    Attributes
    ----------
    name : also its folder's. python : its version, such as ``3.11``.
    requirements : pinned, installed together. without_dependencies : installed afterwards, and nothing with them.
    node : packages of npm, in the folder ``node`` of the environment. needs : what the system must bring.
    links : file names in its folder ``links``, and the libraries of the system that they stand for; the folder is
        searched for libraries when a script runs there.
    stubs : libraries that are made empty in that folder.
    stubs_for : a glob in the environment's folder: the library that would not load without them.
    variables : of every process there; ``{folder}`` stands for the environment's folder.
    installer : ``uv`` where it is present, else pip; or always ``pip``.
    megabytes : what it takes on disk, measured, rounded up. quirk : one sentence for those who wonder.
    """

    name: str
    python: str
    requirements: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    stubs: tuple[str, ...] = ()
    stubs_for: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    installer: str = "uv"
    megabytes: int = 0
    quirk: str = ""

    def digest(self) -> str:
        """What decides the content of its folder, as hexadecimal digits."""
        parts = {
            "python": self.python,
            "requirements": list(self.requirements),
            "without_dependencies": list(self.without_dependencies),
            "node": list(self.node),
            "links": dict(self.links),
            "stubs": list(self.stubs),
        }
        parts = {name: part for name, part in parts.items() if part}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def pins(self) -> dict[str, str]:
        """Package and pinned version, of the requirements that pin one."""
        split = [each.split("==") for each in (*self.requirements, *self.without_dependencies) if "==" in each]
        return {name.split("[")[0].lower().replace("_", "-"): version for name, version in split}

    def missing(self) -> list[str]:
        """Debian packages that are not there."""
        return [need.package for need in self.needs if not need.met()]


_ALL = (
    Environment(
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
    ),
    Environment("paddle", "3.11", ("paddlepaddle==3.3.1",), megabytes=870),
    Environment(
        "mxnet",
        "3.8",
        ("mxnet==1.9.1", "numpy==1.23.5"),
        megabytes=290,
        quirk="It uses np.bool, which numpy 1.24 no longer has.",
    ),
    Environment("chainer", "3.8", ("chainer==7.8.1", "numpy==1.23.5"), megabytes=100),
    Environment(
        "theano",
        "3.7",
        ("keras==2.3.1", "theano==1.0.5", "numpy==1.19.5", "h5py<3"),
        needs=(Need("g++", command="g++"),),
        megabytes=240,
        quirk="Keras 2.3.1 is the last that runs on Theano.",
    ),
    Environment("nnabla", "3.10", ("nnabla==1.39.0", "numpy<2"), megabytes=390),
    Environment("sonnet", "3.11", ("tensorflow-cpu==2.21.0", "dm-sonnet==2.0.2"), megabytes=1550),
    Environment(
        "darknet",
        "3.11",
        ("numpy==2.4.6",),
        needs=(Need("darknet", library="darknet/libdarknet.so"),),
        megabytes=100,
        quirk="The library is Debian's, called through ctypes.",
    ),
    Environment("mindspore", "3.11", ("mindspore==2.10.0", "numpy<2"), megabytes=2810),
    Environment("megengine", "3.8", ("megengine==1.13.0", "numpy==1.23.5"), megabytes=1990),
    Environment(
        "oneflow",
        "3.8",
        ("oneflow==0.9.0", "numpy==1.23.5"),
        needs=(Need("gcc", command="gcc"), Need("binutils", command="readelf")),
        stubs=(
            "libcublas.so.11",
            "libcublasLt.so.11",
            "libcudnn_cnn_infer.so.8",
            "libcudnn_cnn_train.so.8",
            "libcudnn_ops_infer.so.8",
            "libcudnn_ops_train.so.8",
        ),
        stubs_for="lib/python3.8/site-packages/oneflow.libs/liboneflow-*.so",
        megabytes=2600,
        quirk="A wheel for CUDA, which loads cuDNN and cuBLAS when it is imported: empty ones serve.",
    ),
    Environment(
        "jittor",
        "3.11",
        ("jittor==1.3.11.0", "numpy<2"),
        needs=(Need("g++", command="g++"),),
        variables={"HOME": "{folder}/home"},
        megabytes=430,
        quirk="Its first import compiles for minutes (153 s on two cores), and keeps that in HOME: its own has that.",
    ),
    Environment(
        "objax",
        "3.11",
        ("objax==1.8.0", "six==1.17.0", "jax==0.9.2", "jaxlib==0.9.2"),
        megabytes=690,
        quirk="It names jax.sharding.PmapSharding when it differentiates, which jax 0.10 no longer has.",
    ),
    Environment(
        "cntk",
        "3.6",
        ("cntk==2.7.post2", "numpy==1.19.5"),
        needs=(Need("libopenmpi3", library="libmpi.so.40"),),
        links={"libmpi.so.12": "libmpi.so.40", "libmpi_cxx.so.1": "libmpi_cxx.so.40"},
        installer="pip",
        megabytes=440,
        quirk="It asks for Open MPI under the names of 2015; uv knows no Python 3.6.",
    ),
    Environment(
        "dezero",
        "3.11",
        ("dezero==0.0.13", "numpy==1.23.5", "matplotlib<3.8", "contourpy<1.2"),
        megabytes=210,
        quirk="It uses np.int, which numpy 1.24 no longer has.",
    ),
    Environment("mnn", "3.11", ("mnn==3.6.1", "numpy==2.4.6"), megabytes=160),
    Environment("ncnn", "3.11", ("ncnn==1.0.20261020", "numpy==2.4.6"), megabytes=140),
    Environment(
        "openvino", "3.11", ("openvino==2026.4.1", "onnx==1.23.2", "ml_dtypes==0.6.0", "numpy==2.4.6"), megabytes=320
    ),
    Environment("tvm", "3.11", ("apache-tvm==0.27.0.post1", "numpy==2.4.6"), megabytes=420),
    Environment(
        "tfjs",
        "3.11",
        ("numpy==2.4.6",),
        node=("@tensorflow/tfjs@4.22.0",),
        needs=(Need("nodejs", command="node"), Need("npm", command="npm")),
        megabytes=400,
        quirk="Node runs it; Python only hands the numbers over.",
    ),
)
ENVIRONMENTS: dict[str, Environment] = {each.name: each for each in _ALL}

"""The frameworks that are known: where each runs, and the adapter that asks it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..._io.matching import nearest
from ..environments.catalogue import ENVIRONMENTS, Environment
from ..environments.installing import EnvironmentProblem

__all__ = ["FRAMEWORKS", "PROBES", "Framework", "find", "named"]

# What a framework calls itself, and the packages that bring it.
ALIASES = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "paddle": ("paddle", "paddlepaddle"),
    "haiku": ("haiku", "dm-haiku"),
    "sonnet": ("sonnet", "dm-sonnet"),
    "tvm": ("tvm", "apache-tvm"),
}
PROBES = Path(__file__).with_name("probes")


@dataclass(frozen=True)
class Framework:
    """One row: a framework, or one back end of it.

    Attributes
    ----------
    name, title : for commands and for people. environment : its name in the catalogue; empty where none runs it.
    adapter : file in ``probes``. sync : another there, which observes its synchronised batch norm; empty where it has
        none. modules : top-level modules; with all of them there, it runs in this interpreter; with
        none named it never does.
    variables : environment variables of its process. seconds : limit of one run of the probe.
    why : it is known by its documentation only, for this reason; empty where it is measured.
    """

    name: str
    title: str
    environment: str = ""
    adapter: str = ""
    modules: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 900.0
    why: str = ""
    sync: str = ""

    @property
    def measured(self) -> bool:
        """Whether it can be measured at all."""
        return not self.why

    def place(self) -> Environment:
        """Its isolated environment.

        Raises
        ------
        EnvironmentProblem
            None runs it: it is known by its documentation only.
        """
        if not self.measured:
            raise EnvironmentProblem(f"{self.name} is known by its documentation only: {self.why}")
        return ENVIRONMENTS[self.environment]

    def importable(self) -> bool:
        """Whether this interpreter has it; nothing is imported."""
        try:
            return bool(self.modules) and all(importlib.util.find_spec(module) is not None for module in self.modules)
        except (ImportError, ValueError):
            return False

    def unpinned(self, version: str) -> str:
        """Which packages of a version are not at the pinned one, in words; empty where all are, or none is pinned.

        Parameters
        ----------
        version : as a finding has it, such as ``keras 3.15.1, jax 0.10.2``.
        """
        pins = self.place().pins() if self.environment else {}
        other = []
        for each in version.split(", "):
            package, _, number = each.rpartition(" ")
            name = package.lower().replace("_", "-")
            pin = next((pins[alias] for alias in ALIASES.get(name, (name,)) if alias in pins), None)
            # 2.13.0+cpu and 2026.4.1-22982-... are builds of a version; 2.7 may call itself so in 2.7.post2.
            if pin is not None and re.split(r"[+-]", number)[0] not in (pin, pin.partition(".post")[0]):
                other.append(f"{package} {number} (pinned {pin})")
        return ", ".join(other)

    def script(self) -> Path:
        """Its adapter's path."""
        return PROBES / self.adapter


def _keras(backend: str, sync: str = "") -> Framework:
    return Framework(
        f"keras-{backend}",
        f"Keras 3 on {backend}",
        "core",
        "on_keras.py",
        ("keras", backend),
        {"KERAS_BACKEND": backend},
        sync=sync,
    )


_TINYGRAD = {"DEV": "CPU", "CC": "clang-14"}
_JITTOR = {"nvcc_path": "", "use_mkl": "0", "cc_path": "g++"}
_THEANO = {"THEANO_FLAGS": "device=cpu,floatX=float32,blas.ldflags="}

_ALL = (
    Framework("torch", "PyTorch", "core", "on_torch.py", ("torch",), sync="sync_torch.py"),
    _keras("tensorflow", "sync_keras_tensorflow.py"),
    _keras("torch"),
    _keras("jax"),
    _keras("numpy"),
    Framework(
        "tf_keras",
        "Keras 2 on TensorFlow",
        "core",
        "on_tf_keras.py",
        ("tf_keras", "tensorflow"),
        sync="sync_tf_keras.py",
    ),
    Framework("tf.nn", "TensorFlow's own operations", "core", "on_tensorflow.py", ("tensorflow",)),
    Framework("flax-linen", "Flax Linen", "core", "on_flax_linen.py", ("flax", "jax"), sync="sync_flax_linen.py"),
    Framework("flax-nnx", "Flax NNX", "core", "on_flax_nnx.py", ("flax", "jax"), sync="sync_flax_nnx.py"),
    Framework("haiku", "Haiku", "core", "on_haiku.py", ("haiku", "jax"), sync="sync_haiku.py"),
    Framework("equinox", "Equinox", "core", "on_equinox.py", ("equinox", "jax"), sync="sync_equinox.py"),
    Framework("onnxruntime", "ONNX Runtime", "core", "on_onnxruntime.py", ("onnxruntime", "onnx")),
    Framework("onnx-reference", "ONNX's reference evaluator", "core", "on_onnx_reference.py", ("onnx",)),
    Framework("mlx", "MLX", "core", "on_mlx.py", ("mlx",)),
    Framework("tinygrad", "tinygrad", "core", "on_tinygrad.py", ("tinygrad",), _TINYGRAD),
    Framework("paddle", "PaddlePaddle", "paddle", "on_paddle.py", ("paddle",), sync="sync_paddle.py"),
    Framework("mxnet", "MXNet", "mxnet", "on_mxnet.py", ("mxnet",), sync="sync_mxnet.py"),
    Framework("chainer", "Chainer", "chainer", "on_chainer.py", ("chainer",)),
    Framework(
        "keras2-theano",
        "Keras 2.3 on Theano",
        "theano",
        "on_keras2_theano.py",
        ("keras", "theano"),
        {**_THEANO, "KERAS_BACKEND": "theano"},
    ),
    Framework("theano", "Theano", "theano", "on_theano.py", ("theano",), _THEANO),
    Framework("nnabla", "NNabla", "nnabla", "on_nnabla.py", ("nnabla",)),
    Framework("sonnet", "Sonnet", "sonnet", "on_sonnet.py", ("sonnet", "tensorflow")),
    Framework("darknet", "Darknet", "darknet", "on_darknet.py"),
    Framework("mindspore", "MindSpore", "mindspore", "on_mindspore.py", ("mindspore",)),
    Framework("megengine", "MegEngine", "megengine", "on_megengine.py", ("megengine",)),
    Framework("oneflow", "OneFlow", "oneflow", "on_oneflow.py", ("oneflow",)),
    Framework("jittor", "Jittor", "jittor", "on_jittor.py", ("jittor",), _JITTOR, seconds=2400.0),
    Framework("objax", "Objax", "objax", "on_objax.py", ("objax", "jax")),
    Framework("cntk", "CNTK", "cntk", "on_cntk.py", ("cntk",)),
    Framework("dezero", "DeZero", "dezero", "on_dezero.py", ("dezero",)),
    Framework("mnn", "MNN", "mnn", "on_mnn.py", ("MNN",)),
    Framework("ncnn", "ncnn", "ncnn", "on_ncnn.py", ("ncnn",)),
    Framework("openvino", "OpenVINO", "openvino", "on_openvino.py", ("openvino", "onnx")),
    Framework("tvm", "Apache TVM", "tvm", "on_tvm.py", ("tvm",)),
    Framework("tfjs", "TensorFlow.js", "tfjs", "on_tfjs.py"),
    Framework("caffe", "Caffe", why="no package of it is left that installs; its source says what it computes"),
    Framework("caffe2", "Caffe2", why="no package of it is left that installs; its source says what it computes"),
)
FRAMEWORKS: dict[str, Framework] = {each.name: each for each in _ALL}


def find(name: str) -> Framework:
    """A framework by its name.

    Parameters
    ----------
    name : a key of FRAMEWORKS; upper and lower case are one.

    Raises
    ------
    ValueError
        There is none of this name; the sentence has the nearest.
    """
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    for known, framework in FRAMEWORKS.items():
        if known.lower() == name.lower():
            return framework
    listed = f"{', '.join(FRAMEWORKS)} are known"
    raise ValueError(f"framework {name!r} is unknown: {nearest(name.lower(), FRAMEWORKS, listed)}")


def named(names: Iterable[str]) -> list[Framework]:
    """The frameworks of some names, each once; the name of an environment stands for all that run in it.

    Parameters
    ----------
    names : of frameworks, as `find` takes them, and of environments; a framework goes before an environment of its
        name.

    Raises
    ------
    ValueError
        A name is unknown; the sentence has the nearest.
    """
    found: list[Framework] = []
    for name in names:
        alike = [each for each in FRAMEWORKS.values() if each.environment == name]
        found += alike if alike and name not in FRAMEWORKS else [find(name)]
    return list({each.name: each for each in found}.values())

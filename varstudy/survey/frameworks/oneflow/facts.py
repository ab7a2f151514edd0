"""OneFlow: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment, Need
from varstudy.survey.frameworks.declaring import Framework

ONEFLOW = Environment(
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
)
FRAMEWORKS = [
    Framework("oneflow", "OneFlow", ONEFLOW, modules=("oneflow",), order=260),
]

"""Theano: where it runs."""

from __future__ import annotations

from varstudy.survey.environments.shared import THEANO
from varstudy.survey.frameworks.declaring import Framework

FRAMEWORKS = [
    Framework(
        "theano",
        "Theano",
        THEANO,
        modules=("theano",),
        variables={"THEANO_FLAGS": "device=cpu,floatX=float32,blas.ldflags="},
        order=200,
    ),
]

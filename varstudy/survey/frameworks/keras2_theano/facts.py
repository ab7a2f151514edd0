"""Keras 2.3 on Theano: where it runs, and how its batch norm's state is read and written."""

from dataclasses import replace

from varstudy.survey.environments.shared import THEANO
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import KERAS_STATE, OLD_KERAS_READS

STATE = replace(KERAS_STATE, imports="import keras", reads=OLD_KERAS_READS)
FRAMEWORKS = [
    Framework(
        "keras2-theano",
        "Keras 2.3 on Theano",
        THEANO,
        modules=("keras", "theano"),
        variables={"THEANO_FLAGS": "device=cpu,floatX=float32,blas.ldflags=", "KERAS_BACKEND": "theano"},
        state=STATE,
        order=190,
    ),
]

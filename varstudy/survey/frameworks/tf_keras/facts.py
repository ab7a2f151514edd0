"""Keras 2 on TensorFlow: where it runs, and how its batch norm's state is read and written."""

from dataclasses import replace

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework
from varstudy.survey.frameworks.shared_state import KERAS_STATE, OLD_KERAS_READS

STATE = replace(KERAS_STATE, imports="import tf_keras as keras", reads=OLD_KERAS_READS)
FRAMEWORKS = [
    Framework(
        "tf_keras", "Keras 2 on TensorFlow", CORE, modules=("tf_keras", "tensorflow"), sync=True, state=STATE, order=60
    ),
]

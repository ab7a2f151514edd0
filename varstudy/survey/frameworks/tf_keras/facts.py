"""Keras 2 on TensorFlow: where it runs, and how its batch norm's state is read and written."""

from varstudy.survey.environments.shared import CORE
from varstudy.survey.frameworks.declaring import Framework, StateCode
from varstudy.survey.frameworks.shared_state import KERAS_STATE, OLD_KERAS_READS

STATE = StateCode("import tf_keras as keras", KERAS_STATE.layer, OLD_KERAS_READS, KERAS_STATE.makes, KERAS_STATE.writes)
FRAMEWORKS = [
    Framework(
        "tf_keras", "Keras 2 on TensorFlow", CORE, modules=("tf_keras", "tensorflow"), sync=True, state=STATE, order=60
    ),
]

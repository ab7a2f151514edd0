"""NNabla: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

NNABLA = Environment("nnabla", "3.10", ("nnabla==1.39.0", "numpy<2"), megabytes=390)
FRAMEWORKS = [
    Framework("nnabla", "NNabla", NNABLA, modules=("nnabla",), order=210),
]

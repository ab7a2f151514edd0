"""MNN: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

MNN = Environment("mnn", "3.11", ("mnn==3.6.1", "numpy==2.4.6"), megabytes=160)
FRAMEWORKS = [
    Framework("mnn", "MNN", MNN, modules=("MNN",), order=310),
]

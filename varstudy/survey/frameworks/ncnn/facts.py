"""ncnn: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

NCNN = Environment("ncnn", "3.11", ("ncnn==1.0.20261020", "numpy==2.4.6"), megabytes=140)
FRAMEWORKS = [
    Framework("ncnn", "ncnn", NCNN, modules=("ncnn",), order=320),
]

"""Caffe: where it runs."""

from __future__ import annotations

from varstudy.survey.frameworks.declaring import Framework

FRAMEWORKS = [
    Framework(
        "caffe", "Caffe", why="no package of it is left that installs; its source says what it computes", order=360
    ),
]

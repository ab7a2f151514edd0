"""Jittor: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment, Need
from varstudy.survey.frameworks.declaring import Framework

JITTOR = Environment(
    "jittor",
    "3.11",
    ("jittor==1.3.11.0", "numpy<2"),
    needs=(Need("g++", command="g++"),),
    variables={"HOME": "{folder}/home"},
    megabytes=430,
    quirk="Its first import compiles for minutes (153 s on two cores), and keeps that in HOME: its own has that.",
)
FRAMEWORKS = [
    Framework(
        "jittor",
        "Jittor",
        JITTOR,
        modules=("jittor",),
        variables={"nvcc_path": "", "use_mkl": "0", "cc_path": "g++"},
        seconds=2400.0,
        order=270,
    ),
]

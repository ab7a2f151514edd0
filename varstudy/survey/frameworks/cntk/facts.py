"""CNTK: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment, Need
from varstudy.survey.frameworks.declaring import Framework

CNTK = Environment(
    "cntk",
    "3.6",
    ("cntk==2.7.post2", "numpy==1.19.5"),
    needs=(Need("libopenmpi3", library="libmpi.so.40"),),
    links={"libmpi.so.12": "libmpi.so.40", "libmpi_cxx.so.1": "libmpi_cxx.so.40"},
    installer="pip",
    megabytes=440,
    quirk="It asks for Open MPI under the names of 2015; uv knows no Python 3.6.",
)
FRAMEWORKS = [
    Framework("cntk", "CNTK", CNTK, modules=("cntk",), order=290),
]

"""Darknet: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment, Need
from varstudy.survey.frameworks.declaring import Framework

DARKNET = Environment(
    "darknet",
    "3.11",
    ("numpy==2.4.6",),
    needs=(Need("darknet", library="darknet/libdarknet.so"),),
    megabytes=100,
    quirk="The library is Debian's, called through ctypes.",
)
FRAMEWORKS = [
    Framework("darknet", "Darknet", DARKNET, order=230),
]

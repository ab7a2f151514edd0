"""OpenCV: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import WIDE, Call, Library

LIBRARIES = [
    Library(
        "OpenCV",
        DATA,
        [
            Call(
                "meanStdDev squared", "cv2.meanStdDev, squared", note="it has no variance: the square of its deviation"
            ),
            Call("calcCovarMatrix", "cv2.calcCovarMatrix", note="of one variable"),
        ],
        storages=WIDE,
        order=230,
    ),
]

"""OpenCV has no variance: the square of its standard deviation, and the diagonal of its covariance."""

import cv2
import numpy as np
from function_contract import fixed


def versions():
    return {"opencv": cv2.__version__, "numpy": np.__version__}


def set_threads(n):
    cv2.setNumThreads(n)


def deviation(x):
    return np.square(cv2.meanStdDev(x.reshape(1, -1))[1].reshape(-1))


def covariance(x):
    flags = cv2.COVAR_NORMAL | cv2.COVAR_ROWS | cv2.COVAR_SCALE
    kind = cv2.CV_32F if x.dtype == np.float32 else cv2.CV_64F
    return cv2.calcCovarMatrix(x.reshape(-1, 1), None, flags, ctype=kind)[0].reshape(-1)


FUNCTIONS = {"meanStdDev squared": fixed(0, deviation), "calcCovarMatrix": fixed(0, covariance)}

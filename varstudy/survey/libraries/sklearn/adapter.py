"""scikit-learn's variances: those of its estimators."""

import numpy as np
import scipy.sparse
import sklearn
from function_contract import chunks, fixed
from sklearn.feature_selection import VarianceThreshold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.sparsefuncs import mean_variance_axis


def versions():
    return {"scikit-learn": sklearn.__version__, "numpy": np.__version__}


def partial(x):
    scaler = StandardScaler()
    for part in chunks(x):
        scaler.partial_fit(part)
    return scaler.var_


def threshold(x):
    """Where no variance is above the threshold, fit raises after it has computed them."""
    made = VarianceThreshold()
    try:
        made.fit(x)
    except ValueError:
        if not hasattr(made, "variances_"):
            raise
    return made.variances_


FUNCTIONS = {
    "StandardScaler.fit": fixed(0, lambda x: StandardScaler().fit(x).var_),
    "StandardScaler.partial_fit": fixed(0, partial),
    "VarianceThreshold.fit": fixed(0, threshold),
    "mean_variance_axis": fixed(0, lambda x: mean_variance_axis(scipy.sparse.csr_matrix(x), axis=0)[1]),
}

"""scikit-learn's variances: those of its estimators."""

import numpy as np
import scipy.sparse
import sklearn
from function_contract import chunks, only
from sklearn.feature_selection import VarianceThreshold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.sparsefuncs import mean_variance_axis


def versions():
    return {"scikit-learn": sklearn.__version__, "numpy": np.__version__}


def fit(x, storage, ddof):
    only(ddof, 0)
    return StandardScaler().fit(x).var_


def partial(x, storage, ddof):
    only(ddof, 0)
    scaler = StandardScaler()
    for part in chunks(x):
        scaler.partial_fit(part)
    return scaler.var_


def threshold(x, storage, ddof):
    """Where no variance is above the threshold, fit raises after it has computed them."""
    only(ddof, 0)
    made = VarianceThreshold()
    try:
        made.fit(x)
    except ValueError:
        if not hasattr(made, "variances_"):
            raise
    return made.variances_


def sparse(x, storage, ddof):
    only(ddof, 0)
    return mean_variance_axis(scipy.sparse.csr_matrix(x), axis=0)[1]


FUNCTIONS = {
    "StandardScaler.fit": fit,
    "StandardScaler.partial_fit": partial,
    "VarianceThreshold.fit": threshold,
    "mean_variance_axis": sparse,
}

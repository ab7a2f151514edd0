"""Random numbers whose bits depend on a name and a seed, and on nothing else.

The raw 64-bit output of PCG64 is fixed by numpy's compatibility policy (NEP 19), the distributions of
``numpy.random.Generator`` are not, and those of libm differ from machine to machine in the last place. So the
distributions are made here, from the raw integers, with +, -, *, / and sqrt alone, which IEEE 754 rounds the
same way everywhere.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Stream"]

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

# Wichura (1988), Algorithm AS 241, PPND16, Applied Statistics 37(3), doi:10.2307/2347330. Each pair is the
# numerator and the denominator of a rational function, lowest degree first.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
_LN2 = 0.6931471805599453094


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def _ratio(pair: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    return _polynomial(pair[0], x) / _polynomial(pair[1], x)


def _log(x: Floats) -> Floats:
    """Natural logarithm of normal numbers by log m = 2 atanh((m - 1)/(m + 1)), m in [sqrt(1/2), sqrt(2))."""
    m, e = np.frexp(x)
    small = m < 0.7071067811865476
    m = np.where(small, m + m, m)
    s = (m - 1.0) / (m + 1.0)
    series = _polynomial(tuple(1.0 / (2 * k + 1) for k in range(12)), s * s)
    return np.asarray(2.0 * s * series + (e - small) * _LN2)


def _normal_quantile(u: Floats) -> Floats:
    """Quantile of N(0, 1) at u in (0, 1), relative error about 1e-16 (AS 241)."""
    q = u - 0.5
    z = q * _ratio(_CENTRE, 0.180625 - q * q)
    outer = np.flatnonzero(np.abs(q) > 0.425)
    v = u[outer]
    r = np.sqrt(-_log(np.minimum(v, 1.0 - v)))
    t = _ratio(_TAIL, r - 1.6)
    far = np.flatnonzero(r > 5.0)
    t[far] = _ratio(_FAR_TAIL, r[far] - 5.0)
    z[outer] = np.where(v < 0.5, -t, t)
    return z


class Stream:
    """A stream of random numbers, seeded by SHA-256 of a key and by a seed.

    Drawing n numbers and then m numbers gives the same numbers as drawing n + m, so an array may be filled in
    blocks of any length.

    Raises
    ------
    ValueError
        The seed is negative.
    """

    def __init__(self, key: str, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed must be a non-negative integer, got {seed}")
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, len(digest), 4)]
        bits: Any = np.random.PCG64(np.random.SeedSequence([*words, int(seed)]))
        self._generator = np.random.Generator(bits)

    def words(self, n: int) -> Words:
        """n raw 64-bit words of PCG64."""
        return self._generator.integers(0, 2**64 - 1, n, dtype=np.uint64, endpoint=True)

    def _top(self, n: int, bits: int) -> Floats:
        """The leading bits of n words, as integers held by float64 exactly."""
        return (self.words(n) >> np.uint64(64 - bits)).astype(np.float64)

    def uniform(self, n: int) -> Floats:
        """n values of U[0, 1): multiples of 2^-53."""
        return self._top(n, 53) * 2.0**-53

    def normal(self, n: int) -> Floats:
        """n values of N(0, 1), one word each, by the quantile function."""
        return _normal_quantile((self._top(n, 52) + 0.5) * 2.0**-52)

    def signs(self, n: int) -> Floats:
        """n values of -1 or +1."""
        return 1.0 - 2.0 * self._top(n, 1)

    def below(self, n: int, bound: int) -> Floats:
        """n integers of 0 .. bound - 1 as float64; their probabilities are right to within 2^-32."""
        return ((self.words(n) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.float64)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """A permutation of 0 .. n - 1."""
        return np.argsort(self.words(n), kind="stable").astype(np.int64)

"""What each profile of kernels fixes: the format inside, and how many additions a value takes part in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from varkernels import compose, get
from varkernels.formats import FLOAT32, FLOAT64, Format

from .._io.matching import nearest

__all__ = ["LANES", "LEAF", "PROFILES", "Setting", "setting_of"]

PROFILES = ("single", "running", "two-stage", "low-precision")
# A kernel of the profile "single" has at least this many partial sums, or blocks of at most so many values.
LANES = 32
LEAF = 64


@dataclass(frozen=True)
class Setting:
    """The arithmetic inside of a kernel, and its order.

    Attributes
    ----------
    profile : its name. storage, inside : formats of the arrays and of the arithmetic.
    formula, order : of the low-precision profile.
    """

    profile: str
    storage: Format
    inside: Format
    formula: str = "two_pass"
    order: str = "running"

    @property
    def eta(self) -> float:
        """What an operation loses below the normal numbers: a GPU's float32 may flush them."""
        if self.profile == "low-precision":
            return float(self.inside.smallest_subnormal)
        return float(self.inside.smallest_normal)

    @property
    def stage(self) -> float:
        """The relative error of an xhat that is stored before scale and bias."""
        return float(self.storage.unit_roundoff) if self.profile == "two-stage" else 0.0

    @property
    def by_formula(self) -> bool:
        """Whether mean and variance have the worst-case error of one formula in one order."""
        return self.profile == "low-precision"

    def phi(self, k: float) -> float:
        """(1 + u)^k - 1."""
        return math.expm1(min(700.0, k * math.log1p(float(self.inside.unit_roundoff))))

    def steps(self, n: int) -> int:
        """h: in how many additions a value takes part at most, in a row of n."""
        if self.profile == "running":
            return n
        if self.by_formula:
            return sum(compose(get(self.formula).formula, self.order).geometry(n))
        lanes = -(-n // LANES) + (min(LANES, n) - 1).bit_length()
        blocks = min(LEAF, n) + (-(-n // LEAF) - 1).bit_length()
        return max(lanes, blocks)


def setting_of(profile: str, storage: Format, formula: str = "two_pass", order: str = "running") -> Setting:
    """The setting of a profile.

    Raises
    ------
    ValueError
        The profile is unknown.
    """
    if profile not in PROFILES:
        listed = ", ".join(PROFILES)
        raise ValueError(f"profile={profile!r} is unknown: " + nearest(profile, PROFILES, f"use one of {listed}"))
    wide = FLOAT64 if storage is FLOAT64 else FLOAT32
    return Setting(profile, storage, storage if profile == "low-precision" else wide, formula, order)

"""What is concluded of one property, and the numbers that it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from ..findings.properties import FindingStatus, check

__all__ = ["UNIT", "Finding", "Interval", "failed", "listed", "measured", "not_applicable", "short", "undetermined"]

UNIT = 2.0**-24  # float32's unit roundoff
_DIGITS = 4  # a decimal of more digits is nobody's default


@dataclass(frozen=True)
class Finding:
    """A value of the property called `name`, with its status (see `properties`) and one sentence."""

    name: str
    value: Any
    status: FindingStatus
    detail: str = ""

    @property
    def known(self) -> bool:
        return self.status == FindingStatus.MEASURED

    def record(self, kind: str, variant: str) -> dict[str, Any]:
        """As a mapping, of a kind and variant of layer; ValueError where the property cannot have the value."""
        check(self.name, self.value)
        return {
            "kind": kind,
            "variant": variant,
            "property": self.name,
            "value": self.value,
            "status": self.status,
            "detail": self.detail,
        }


def measured(name: str, value: Any, detail: str = "") -> Finding:
    return Finding(name, value, FindingStatus.MEASURED, detail)


def undetermined(name: str, detail: str) -> Finding:
    return Finding(name, None, FindingStatus.UNDETERMINED, detail)


def not_applicable(name: str, detail: str) -> Finding:
    return Finding(name, None, FindingStatus.NOT_APPLICABLE, detail)


def failed(name: str, detail: str) -> Finding:
    return Finding(name, None, FindingStatus.FAILED, detail)


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`; empty where low is above high."""

    low: float
    high: float

    @classmethod
    def about(cls, value: float, error: float) -> Interval:
        return cls(value - abs(error), value + abs(error))

    @property
    def empty(self) -> bool:
        return not self.low <= self.high

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __and__(self, other: Interval) -> Interval:
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def __str__(self) -> str:
        return f"{self.low:.6g} to {self.high:.6g}"


def short(interval: Interval) -> tuple[float, bool]:
    """The decimal of fewest digits in an interval, and True, if it is the only one of that few; else the middle.

    Zero counts as the shortest number of all.
    """
    if 0.0 in interval:
        return 0.0, True
    sign, low, high = (-1, -interval.high, -interval.low) if interval.high < 0 else (1, interval.low, interval.high)
    top = Decimal(high)
    for digits in range(1, _DIGITS + 1):
        step = Decimal(1).scaleb(top.adjusted() - digits + 1)
        first = (Decimal(low) / step).to_integral_value(ROUND_CEILING)
        last = (top / step).to_integral_value(ROUND_FLOOR)
        if first == last:
            return sign * float(first * step), True
        if first < last:
            break
    middle, half = interval.middle, interval.half
    places = 17 if half == 0 else max(1, math.floor(math.log10(abs(middle))) - math.floor(math.log10(half)) + 1)
    return float(f"{middle:.{min(places, 17)}g}"), False


def listed(values: Iterable[object]) -> str:
    """``a, b or c``."""
    words = [str(value) for value in values]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

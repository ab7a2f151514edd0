"""The least time that a kernel's memory traffic and arithmetic take on three cards: computed, not measured.

The time is the larger of two: the values' bytes by the card's bandwidth, and the floating-point instructions of the
main loop by the rate at which all multiprocessors issue them. Left out are the launch, the integer arithmetic of
addresses, the estimates of divisions (MUFU), the merging of states and the traffic of the answers: a measurement is
above it, unless the values were in the second-level cache already, where the smaller shape's 26 MB of float32 fit.

Sources, NVIDIA's data sheets, for the SXM boards: A100 80 GB, 2039 GB/s, 19.5 TFLOPS in float32 and 9.7 in float64
(NVIDIA A100 Tensor Core GPU data sheet, 2021); H100, 3.35 TB/s, 67 and 34 TFLOPS (NVIDIA H100 Tensor Core GPU data
sheet, 2023); H200, 4.8 TB/s, 67 and 34 TFLOPS (NVIDIA H200 Tensor Core GPU data sheet, 2024). They count a fused
product and sum as two, so instructions are issued at half those rates. GB and TB are 10^9 and 10^12 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARDS", "SHAPES", "Card", "Time", "time"]

SHAPES = ((32, 64, 56, 56), (256, 256, 56, 56))


@dataclass(frozen=True)
class Card:
    """A card: its target, bytes a second of its memory, and floating-point operations a second by width.

    A fused product and sum are two operations.
    """

    name: str
    target: str
    bandwidth: float
    float32: float
    float64: float


CARDS = (
    Card("A100", "sm_80", 2.039e12, 19.5e12, 9.7e12),
    Card("H100", "sm_90", 3.35e12, 67e12, 34e12),
    Card("H200", "sm_90", 4.8e12, 67e12, 34e12),
)


@dataclass(frozen=True)
class Time:
    """Seconds, and whether it is the arithmetic that takes them, not the memory."""

    seconds: float
    arithmetic: bool


def time(card: Card, values: int, size: float, issued: float, accumulator: str) -> Time:
    """The least time for so many values.

    Parameters
    ----------
    size : bytes read a value, all sweeps together.
    issued : floating-point instructions a value.
    accumulator : float32 or float64: at which rate these are issued.

    Raises
    ------
    ValueError
        The accumulator is another.
    """
    if accumulator not in ("float32", "float64"):
        raise ValueError(f"no rate is known for arithmetic in {accumulator!r}: it is float32 or float64")
    rate = card.float32 if accumulator == "float32" else card.float64
    memory, work = values * size / card.bandwidth, values * issued / (rate / 2)
    return Time(max(memory, work), work > memory)

"""How long a wait for memory a kernel's loads in flight cover on three cards: computed, not measured.

By Little's law, what is in flight is the rate times the wait. A multiprocessor that holds so many threads, each of
which has asked for so many bytes before it uses any (`turns`), keeps the memory at its full rate if that answers within

    bytes in flight on all multiprocessors / bandwidth.

A memory that works at its limit answers later than an idle one; where it takes longer than that, the rate falls in
proportion. How long a card takes is for a measurement on it to say.

Sources, NVIDIA's data sheets, for the SXM boards: A100 80 GB, 2039 GB/s (NVIDIA A100 Tensor Core GPU data sheet, 2021);
H100, 3.35 TB/s (NVIDIA H100 Tensor Core GPU data sheet, 2023); H200, 4.8 TB/s (NVIDIA H200 Tensor Core GPU data sheet,
2024). GB and TB are 10^9 and 10^12 bytes. Multiprocessors, 108 and 132: NVIDIA A100 and H100 Tensor Core GPU
Architecture, white papers of 2020 and 2022; an H200 has the chip of an H100.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARDS", "Card", "covered"]


@dataclass(frozen=True)
class Card:
    """A card: its target, bytes a second of its memory, its multiprocessors."""

    name: str
    target: str
    bandwidth: float
    multiprocessors: int


CARDS = (
    Card("A100", "sm_80", 2.039e12, 108),
    Card("H100", "sm_90", 3.35e12, 132),
    Card("H200", "sm_90", 4.8e12, 132),
)


def covered(card: Card, in_flight: float) -> float:
    """The longest wait, in seconds, at which the card's memory still works at its full rate.

    Parameters
    ----------
    in_flight : bytes that the threads of one multiprocessor wait for at once.
    """
    return card.multiprocessors * in_flight / card.bandwidth

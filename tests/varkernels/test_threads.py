"""Threads: any number of them gives the same bits, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from varkernels import FORMATS, get_threads, set_threads
from varkernels.exact import sums
from varkernels.exact.sums import exact_sums
from varkernels.formats import Format


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Sets the number of threads, and lets them work on small arrays."""
    monkeypatch.setattr(sums, "WORTHWHILE", 0)
    set_threads(1)
    yield set_threads
    set_threads(None)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 100_003), (1, 1, 16_384), (3, 1, 7000), (2, 9, 3000), (1, 700, 16)]
)
def test_any_number_of_threads_gives_the_same_sums(fmt: Format, shape: tuple[int, ...], threads: Any) -> None:
    x = (3 + np.random.default_rng(0).normal(size=shape)).astype(fmt.dtype)
    infinite = x.copy()
    infinite[0, 0, 0] = np.inf
    alone = exact_sums(x), exact_sums(infinite)
    for n in (2, 3, 5, 16):
        threads(n)
        assert (exact_sums(x), exact_sums(infinite)) == alone


def test_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_threads(None)
    monkeypatch.delenv("VARKERNELS_NUM_THREADS", raising=False)
    assert get_threads() == 1
    set_threads(3)
    assert get_threads() == 3
    for bad in (0, -1, 2.0, True, "2"):
        with pytest.raises(ValueError, match=f"threads={bad!r}: give a whole number"):
            set_threads(bad)
    set_threads(None)
    monkeypatch.setenv("VARKERNELS_NUM_THREADS", "2")
    assert get_threads() == 2
    for text in ("0", "two", "-1", ""):
        set_threads(None)
        monkeypatch.setenv("VARKERNELS_NUM_THREADS", text)
        with pytest.raises(ValueError, match="VARKERNELS_NUM_THREADS"):
            get_threads()

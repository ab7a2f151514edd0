"""The order of the cells, what they are expected to take, and when a page is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varstudy.study import cells, course
from varstudy.study.course import Planned, Redraw


def planned(level: str = "default") -> list[Planned]:
    return [Planned(cell, ("naive",) * 75, str(k)) for k, cell in enumerate(cells.plan(level))]


@pytest.mark.parametrize("level", ["quick", "default", "full"])
def test_cheap_cells_come_first_then_the_longest(level: str) -> None:
    given_ = planned(level)
    cheap, long = course.in_order(given_)
    assert sorted(each.key for each in (*cheap, *long)) == sorted(each.key for each in given_)
    seconds = [each.seconds for each in cheap]
    assert seconds == sorted(seconds)
    assert sum(seconds) <= course.FIRST
    assert [each.seconds for each in long] == sorted((each.seconds for each in long), reverse=True)
    if long:
        assert sum(seconds) + long[-1].seconds > course.FIRST
        assert seconds[-1] <= long[-1].seconds


def test_the_first_page_of_the_default_study_has_half_of_its_cells() -> None:
    cheap, long = course.in_order(planned())
    assert len(cheap) > len(long)


def test_one_long_cell_is_long() -> None:
    (one,) = (each for each in planned() if each.cell.label == "growth/normal/N=2^24 float32")
    if one.seconds > course.FIRST:
        assert course.in_order([one]) == ([], [one])
    assert course.in_order([]) == ([], [])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_page_is_due_after_a_while_and_where_the_end_is_far() -> None:
    clock = Clock()
    redraw = Redraw(2, clock)
    assert not redraw.due(1000.0)
    clock.now += Redraw.BEGIN
    assert not redraw.due(Redraw.SOON - 1)
    assert redraw.due(1000.0)
    assert not redraw.due(1000.0), "one is being drawn"
    redraw.drawn(6.0)
    clock.now += 29.9  # of two processes one drew for 6 s: a tenth of both is 30 s
    assert not redraw.due(1000.0)
    clock.now += 0.2
    assert redraw.due(1000.0)


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=30), st.integers(1, 4))
def test_drawing_takes_a_tenth_of_the_time_at_most(drawings: list[float], processes: int) -> None:
    clock = Clock()
    redraw = Redraw(processes, clock)
    clock.now += Redraw.BEGIN
    began, spent = clock.now, 0.0
    for seconds in drawings:
        while not redraw.due(1e9):
            clock.now += 1.0
        # What was drawn before, against all the time of all processes until now.
        assert spent <= 0.1 * processes * (clock.now - began) * (1 + 1e-9)
        clock.now += seconds
        redraw.drawn(seconds)
        spent += seconds

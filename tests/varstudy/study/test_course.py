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


def test_the_quick_study_is_too_short_for_a_page_on_the_way() -> None:
    assert sum(each.seconds for each in planned("quick")) / 2 < Redraw.SOON
    assert sum(each.seconds for each in planned()) / 2 > 2 * Redraw.SOON


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


def test_a_page_is_due_where_there_is_something_to_show_and_the_end_is_far() -> None:
    clock = Clock()
    redraw = Redraw(2, clock)
    assert not redraw.due(1.0, 1000.0)
    clock.now += Redraw.BEGIN
    assert not redraw.due(0.09, 1000.0)
    assert not redraw.due(1.0, Redraw.SOON - 1)
    assert redraw.due(0.1, 1000.0)
    clock.now += 6.0
    assert not redraw.due(1.0, 1000.0), "one is being drawn"
    redraw.drawn(6.0)
    # A twentieth of what two processes have is two drawings of 6 s after 120 s.
    clock.now = 100.0 + 119.9
    assert not redraw.due(1.0, 1000.0)
    clock.now += 0.2
    assert redraw.due(1.0, 1000.0)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=30), st.integers(1, 4))
def test_drawing_takes_a_twentieth_of_the_time_at_most(drawings: list[float], processes: int) -> None:
    """But for the first: each of the others is counted with the time that the one before it took."""
    clock = Clock()
    redraw = Redraw(processes, clock)
    spent, last = 0.0, 0.0
    for seconds in drawings:
        while not redraw.due(1.0, 1e9):
            clock.now += 0.5
        assert spent + last <= 0.05 * processes * (clock.now - 100.0) * (1 + 1e-9)
        clock.now += seconds
        redraw.drawn(seconds)
        spent, last = spent + seconds, seconds

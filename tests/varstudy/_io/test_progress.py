"""How long a measurement will still take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varstudy._io.progress import Forecast, Silent, stepping


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_the_expectation_is_shown_at_once_and_runs_down() -> None:
    clock = Clock()
    forecast = Forecast(clock)
    forecast.start(10, 0, seconds=40.0, later=20.0)
    assert (forecast.left, forecast.share) == (60.0, 0.0)
    clock.now += 5
    assert forecast.left == 55.0


def test_the_pace_counts_more_and_more() -> None:
    """Each step takes twice what was expected; the prior is worth a tenth of the phase."""
    clock = Clock()
    forecast = Forecast(clock)
    forecast.start(10, 0, seconds=10.0)
    for _ in range(5):
        clock.now += 2.0
        forecast.advance()
    assert forecast.left == pytest.approx(5 * (10 + 1) / (5 + 1))
    assert forecast.share == pytest.approx(0.5)


def test_without_an_expectation_nothing_is_said_before_the_first_step() -> None:
    clock = Clock()
    forecast = Forecast(clock)
    forecast.start(4, 1)
    assert forecast.left is None
    assert forecast.share == pytest.approx(1 / 4)
    clock.now += 3.0
    assert forecast.left is None
    forecast.advance()
    assert forecast.left == pytest.approx(2 * 3.0)
    clock.now += 100.0
    assert forecast.left == 0.0


def test_phases_follow_one_another_on_one_scale() -> None:
    clock = Clock()
    forecast = Forecast(clock)
    forecast.start(2, 0, seconds=20.0, later=80.0)
    forecast.advance(15.0)
    assert forecast.share == pytest.approx(0.15)
    forecast.advance(99.0)  # more than was expected of the phase
    assert forecast.share == pytest.approx(0.2)
    forecast.start(1, 0, seconds=60.0, later=20.0)
    assert (forecast.left, forecast.share) == (80.0, pytest.approx(0.2))
    forecast.advance()
    assert (forecast.left, forecast.share) == (20.0, pytest.approx(0.8))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=4),
    st.floats(0, 100),
)
def test_the_share_is_a_share_and_the_time_no_less_than_nothing(
    phases: list[tuple[int, float, float]], step: float
) -> None:
    clock = Clock()
    forecast = Forecast(clock)
    for steps, seconds, later in phases:
        forecast.start(steps, 0, seconds, later)
        for _ in range(steps):
            assert 0.0 <= forecast.share <= 1.0
            assert forecast.left is None or forecast.left >= 0.0
            clock.now += step
            forecast.advance()
        assert forecast.left is not None or seconds


def test_steps_without_a_receiver() -> None:
    with stepping(None, 3) as finished:
        finished("one")
    shown = Silent()
    shown.start(3, 0, "compiling")
    shown.advance("one", 1.0)
    shown.stop()

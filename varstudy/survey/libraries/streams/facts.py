"""river, runstats and welford: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import DATA
from varstudy.survey.libraries.declaring import SHORT, Call, Library

LIBRARIES = [
    Library(
        "river",
        DATA,
        [
            Call("river Var.update", "river.stats.Var.update", max_length=SHORT),
            Call("river Var.update_many", "river.stats.Var.update_many", note="in chunks of 1,000 values"),
            Call(
                "river Rolling(Var)",
                "river.utils.Rolling(stats.Var)",
                max_length=SHORT,
                note="one window that holds all values",
            ),
        ],
        order=220,
    ),
    Library(
        "runstats",
        DATA,
        [
            Call("runstats Statistics", "runstats.Statistics", max_length=SHORT),
            Call("runstats.core Statistics", "runstats.core.Statistics", max_length=SHORT),
        ],
        order=220,
    ),
    Library(
        "welford",
        DATA,
        [
            Call("welford add", "welford.Welford.add", max_length=SHORT),
            Call("welford add_all", "welford.Welford.add_all", max_length=SHORT, note="in chunks of 1,000 values"),
            Call("welford merge", "welford.Welford.merge", max_length=SHORT, note="in chunks of 1,000 values"),
        ],
        order=220,
    ),
]

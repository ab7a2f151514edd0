"""Packages that take one value after the other: river, runstats and welford."""

from importlib.metadata import version

import numpy as np
from function_contract import Fixed, chunks, keyword


def versions():
    return {name: version(name) for name in ("river", "runstats", "welford", "numpy")}


def river_one(x, storage, ddof):
    from river import stats

    return fed(stats.Var(**keyword(ddof)), x)


def fed(made, x):
    for value in x.tolist():
        made.update(value)
    return made.get()


def river_many(x, storage, ddof):
    from river import stats

    made = stats.Var(**keyword(ddof))
    for part in chunks(x):
        made.update_many(part)
    return made.get()


def river_rolling(x, storage, ddof):
    """A window over all values: each is added, none leaves."""
    from river import stats, utils

    return fed(utils.Rolling(stats.Var(**keyword(ddof)), window_size=max(1, len(x))), x)


def runstats_one(module):
    def call(x, storage, ddof):
        import importlib

        made = importlib.import_module(module).Statistics(x.tolist())
        return made.variance() if ddof is None else made.variance(ddof)

    return call


def welford_of(feed):
    def call(x, storage, ddof):
        from welford import Welford

        made = Welford()
        feed(made, x.reshape(-1, 1))
        if ddof is None:
            raise Fixed("it has no default: var_p and var_s are two attributes")
        found = made.var_s if ddof else made.var_p
        return None if found is None else np.asarray(found).reshape(-1)

    return call


def one_by_one(made, column):
    for value in column:
        made.add(value)


def at_once(made, column):
    for part in chunks(column):
        made.add_all(part)


def merged(made, column):
    from welford import Welford

    parts = chunks(column)
    made.add_all(parts[0])
    for part in parts[1:]:
        made.merge(Welford(part))


FUNCTIONS = {
    "river Var.update": river_one,
    "river Var.update_many": river_many,
    "river Rolling(Var)": river_rolling,
    "runstats Statistics": runstats_one("runstats"),
    "runstats.core Statistics": runstats_one("runstats.core"),
    "welford add": welford_of(one_by_one),
    "welford add_all": welford_of(at_once),
    "welford merge": welford_of(merged),
}

"""SQLite: asked for each name under which other databases have a variance."""

import sqlite3

NAMES = ("var_pop", "var_samp", "variance", "var", "stddev_pop", "stddev", "stdev")


def versions():
    return {"sqlite": sqlite3.sqlite_version}


def any_variance(x, storage, ddof):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE held (x REAL)")
    connection.executemany("INSERT INTO held VALUES (?)", [(v,) for v in x.tolist()])
    for name in NAMES:
        try:
            return connection.execute(f"SELECT {name}(x) FROM held").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "no such function" not in str(error):
                raise
    raise LookupError("no such function as {}".format(", ".join(NAMES)))


FUNCTIONS = {"any variance": any_variance}

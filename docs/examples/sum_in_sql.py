"""Exact variances that a database adds up: vectors as rows of integers, SUM(...) GROUP BY in DuckDB.

Run it: python sum_in_sql.py
"""

from __future__ import annotations

import duckdb
import numpy as np

import varstudy


def main() -> None:
    g = np.random.default_rng(0)
    days = {day: g.normal(1e8, 1.0, 500) for day in range(6)}
    length = len(varstudy.Moments().to_vector(np.float64))
    columns = [f"v{i}" for i in range(length)]
    database = duckdb.connect()
    database.execute(f"CREATE TABLE parts (week INTEGER, {', '.join(f'{name} BIGINT' for name in columns)})")
    for day, values in days.items():
        vector = varstudy.Moments().update(values).to_vector(np.float64)
        database.execute(f"INSERT INTO parts VALUES ({', '.join('?' * (length + 1))})", [day // 3, *vector.tolist()])
    sums = ", ".join(f"SUM({name})::BIGINT" for name in columns)
    for week, *vector in database.execute(f"SELECT week, {sums} FROM parts GROUP BY week ORDER BY week").fetchall():
        found = varstudy.Moments.from_vector(np.array(vector, dtype=np.int64), np.float64)
        whole = np.concatenate([days[3 * week + day] for day in range(3)])
        assert found.variance(1) == varstudy.var(whole, correction=1)
        print(f"week {week}: variance {found.variance(1):.15f}, the bits of the whole")


if __name__ == "__main__":
    main()

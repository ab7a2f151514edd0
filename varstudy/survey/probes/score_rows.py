"""Runs the functions of one adapter on rows of numbers, and writes down what they answered. It expects nothing.

    python score_rows.py REQUEST.json ROWS.npz ANSWERS.jsonl --out DONE.json

Python 3.8 and numpy only; started by path, in the library's own interpreter. Every function's line is written when it
is done, so that a crash loses one function: the line before it says which.
"""

import faulthandler
import json
import os
import platform
import sys
import time
from collections import Counter

import adapters
import numpy as np

# What is asked apart from the rows.
FOUR = [1.0, 2.0, 4.0, 9.0]
QUESTIONS = (
    ("four values, default", FOUR, None),
    ("four values, ddof 0", FOUR, 0),
    ("four values, ddof 1", FOUR, 1),
    ("one value, default", [5.0], None),
    ("one value, ddof 0", [5.0], 0),
    ("one value, ddof 1", [5.0], 1),
    ("a NaN, default", [1.0, float("nan"), 4.0, 9.0], None),
)
# Asked last, since there are libraries that never answer it.
LAST = ("no value, default", [], None)
LAST_LIMIT = 10


class NoNumber(Exception):
    """The function answered something that is no number a row."""


def values_of(stored, storage):
    """The values as the function gets them: bfloat16, stored as 16-bit integers, as float32."""
    if storage == "bfloat16":
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return stored


def numbers(result, count):
    """([a hexadecimal float or None for a null, ...], format's name) of what a function answered for `count` rows."""
    name = getattr(result, "format", None)
    if isinstance(name, str) and hasattr(result, "values"):
        result = result.values
    else:
        name = None
    if result is None:
        result = [None]
    if isinstance(result, (str, bytes)):
        raise NoNumber(f"it answered a {type(result).__name__}")
    if isinstance(result, (list, tuple)):
        given = list(result)
        if any(isinstance(v, (str, bytes)) for v in given):
            raise NoNumber("it answered text among numbers")
    else:
        array = np.asarray(result)
        if array.dtype.kind not in "fiuO":
            raise NoNumber(f"it answered a {type(result).__name__} of {array.dtype}")
        if name is None and array.dtype.kind == "f":
            name = array.dtype.name
        given = list(array.reshape(-1)) if array.ndim < 2 else None
        if given is None:
            raise NoNumber(f"it answered an array of shape {array.shape}")
    if len(given) != count:
        raise NoNumber(f"it answered {len(given)} numbers for {count} rows")
    kinds = {v.dtype.name for v in given if isinstance(v, np.floating)}
    if name is None:
        name = kinds.pop() if len(kinds) == 1 else "float64"
    try:
        return [None if v is None else float(v).hex() for v in given], name
    except (TypeError, ValueError) as error:
        raise NoNumber(f"it answered no number ({adapters.text_of(error)})") from error


def fed(matrix, eats):
    """The arguments of the calls that a matrix (rows, length) takes, each with how many rows it holds.

    A single column is given twice: some libraries take a matrix of one column for a row.
    """
    if eats == "row":
        return [(np.ascontiguousarray(row), 1) for row in matrix]
    if eats == "rows":
        return [(np.ascontiguousarray(matrix), len(matrix))]
    if eats == "columns":
        columns = matrix.T if len(matrix) > 1 else np.concatenate([matrix, matrix]).T
        return [(np.ascontiguousarray(columns), columns.shape[1])]
    raise SystemExit(f"{eats!r} is no way to eat rows")


def answer(function, matrix, storage, eats, ddof):
    """What a function answers for the rows of a matrix: hexadecimal floats and nulls, the answer's format, a text."""
    found, formats, raised = [], set(), Counter()
    for x, count in fed(matrix, eats):
        try:
            hexes, name = numbers(function(x, storage, ddof), count)
            found += hexes
            formats.add(name)
        except Exception as error:
            raised[adapters.text_of(error)] += count
            found += ["raised"] * count
    return found[: len(matrix)], sorted(formats), raised


def fact(function, eats, storage, values, ddof):
    """The answer to one question."""
    dtype = np.float32 if storage == "bfloat16" else np.dtype(storage)
    answers, _, raised = answer(function, np.array([values], dtype=dtype), storage, eats, ddof)
    return {"answer": answers[0], "raised": next(iter(raised), "")}


def run(request, rows, write, hang):
    """Every function of a request, on every matrix that it takes; what hangs ends the process, its stack in `hang`."""
    adapter = adapters.load(request["adapter"])
    if hasattr(adapter, "set_threads"):
        adapter.set_threads(request["threads"])
    write({"versions": dict(adapter.versions()), "python": platform.python_version()})
    for wanted in request["functions"]:
        key, eats = wanted["key"], wanted["eats"]
        write({"begin": key})
        faulthandler.dump_traceback_later(request["limit_s"], exit=True, file=hang)
        started = time.time()
        function = adapter.FUNCTIONS[key]
        storage = wanted["storages"][-1]
        facts = {title: fact(function, eats, storage, values, ddof) for title, values, ddof in QUESTIONS}
        # Where it has no choice of the correction, its own is scored.
        ddof = 0 if not facts["four values, ddof 0"]["raised"] else None
        answers, formats, raised = {}, {}, {}
        for name, stored in rows.items():
            storage = name.split(" ")[0]
            if storage not in wanted["storages"] or stored.shape[1] > wanted["max_length"]:
                continue
            found, kinds, words = answer(function, values_of(stored, storage), storage, eats, ddof)
            answers[name] = found
            known = formats.setdefault(storage, [])
            known += [kind for kind in kinds if kind not in known]
            raised.setdefault(storage, Counter()).update(words)
        faulthandler.cancel_dump_traceback_later()
        write(
            {
                "end": key,
                "facts": facts,
                "ddof": ddof,
                "answers": answers,
                "formats": formats,
                "raised": raised,
                "seconds": round(time.time() - started, 2),
            }
        )
        faulthandler.dump_traceback_later(min(LAST_LIMIT, request["limit_s"]), exit=True, file=hang)
        title, values, ddof = LAST
        facts = fact(function, eats, wanted["storages"][-1], values, ddof)
        faulthandler.cancel_dump_traceback_later()
        write({"asked": key, "title": title, "fact": facts})


def main():
    request_path, rows_path, out_path = sys.argv[1:4]
    request, rows = adapters.handed(request_path, rows_path)
    with open(out_path, "a") as out, open(out_path + ".hang", "w") as hang:

        def write(line):
            out.write(json.dumps(line) + "\n")
            out.flush()
            os.fsync(out.fileno())

        run(request, rows, write, hang)
    adapters.write(adapters.out(), {"done": True})


if __name__ == "__main__":
    main()

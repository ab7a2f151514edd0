"""Runs an adapter's functions in their own interpreter, and gets them all an answer: numbers, or a sentence why not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..._io import child
from ..libraries.declaring import Function
from ..probes import SCRIPTS

__all__ = ["Asked", "ask"]

SCRIPT = SCRIPTS / "score_rows.py"
# The question that a function is asked last.
LAST = "no value, default"
# For one function, and for a process to start.
SECONDS, START = 300.0, 120.0


@dataclass
class Asked:
    """What the functions of one adapter answered.

    Attributes
    ----------
    versions, python : of the library and its interpreter. answers : a child's line, by the function's name.
    failures : a sentence, by the function's name.
    """

    versions: dict[str, str] = field(default_factory=dict)
    python: str = ""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def ask(
    functions: Sequence[Function],
    rows: bytes,
    interpreter: str | Path,
    *,
    threads: int = 1,
    seconds: float = SECONDS,
    variables: Mapping[str, str] | None = None,
) -> Asked:
    """Have functions of one adapter answer for rows.

    A function that crashes or hangs is named so, and the others go on in another process.

    Parameters
    ----------
    rows : the .npz file that `rows.packed` makes. seconds : that one function may take.
    """
    found = Asked()
    with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
        request, given, log = (Path(held) / name for name in ("request.json", "rows.npz", "answers.jsonl"))
        given.write_bytes(rows)
        while left := [each for each in functions if each.name not in {**found.answers, **found.failures}]:
            wanted = [
                {"key": each.key, "eats": each.eats, "storages": list(each.storages), "max_length": each.max_length}
                for each in left
            ]
            asked = {"adapter": str(left[0].adapter), "threads": threads, "limit_s": seconds, "functions": wanted}
            request.write_text(json.dumps(asked), "utf-8")
            log.unlink(missing_ok=True)
            outcome = child.run(
                interpreter,
                SCRIPT,
                [str(request), str(given), str(log)],
                seconds=START + seconds * len(left),
                threads=threads,
                variables=variables,
            )
            _take(found, left, log, outcome, seconds)
    return found


def _take(found: Asked, left: Sequence[Function], log: Path, outcome: child.Outcome, seconds: float) -> None:
    """Take down what a process answered, all or as far as it came; one function at least has an answer or failed."""
    by_key = {each.key: each.name for each in left}
    begun = asked = ""
    for line in _lines(log):
        if "versions" in line:
            found.versions = {str(k): str(v) for k, v in line["versions"].items()}
            found.python = str(line["python"])
        elif "begin" in line:
            begun = by_key[line["begin"]]
        elif "end" in line:
            found.answers[by_key[line["end"]]] = line
            begun, asked = "", by_key[line["end"]]
        elif "asked" in line:
            found.answers[asked]["facts"][line["title"]] = line["fact"]
            asked = ""
    hung = outcome.kind == "timed out" or bool(_read(Path(f"{log}.hang")))
    if asked:
        # The last question ended the process; the function has answered all others.
        how = "never answers" if hung else f"ends the process: {outcome.sentence}"
        found.answers[asked]["facts"][LAST] = {"answer": "raised", "raised": how}
    elif outcome.ok:
        missing = [each.name for each in left if each.name not in found.answers]
        found.failures |= dict.fromkeys(missing, "it ended without an answer")
    elif begun:
        found.failures[begun] = f"it did not end within {seconds:.0f} s" if hung else outcome.sentence
    else:
        left_names = [each.name for each in left if each.name not in found.answers]
        found.failures |= dict.fromkeys(left_names, outcome.sentence or "it ended without an answer")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError):
        return ""


def _lines(log: Path) -> list[dict[str, Any]]:
    """The whole lines of a child's answers; one cut by a crash is left out."""
    found = []
    for line in _read(log).splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found

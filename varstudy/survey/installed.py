"""Other people's software, measured anew beside the study: what is importable here. It installs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .league.catalogue import Function

__all__ = ["InstalledSoftware", "measure", "told"]

# Starting a server is not for a command that was not asked to.
APART = ("PostgreSQL",)


@dataclass(frozen=True)
class InstalledSoftware:
    """The frameworks and libraries that this interpreter has, as a study measures them next to its cells."""

    def announcement(self) -> str:
        """What is about to be measured, in one line."""
        return told()

    def measure(self, folder: Path, say: Callable[[str], None], seed: int) -> None:
        """Measure it; as the function `measure`."""
        measure(folder, say, seed)


def measure(folder: Path, say: Callable[[str], None], seed: int = 0) -> None:
    """Probe the frameworks and score the libraries that this interpreter has, once, and write what came out beside
    the results: measured.json and league.json. What does not answer is a row that says so.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    _frameworks(folder, say)
    _libraries(folder, say, seed)


def told() -> str:
    """What `measure` is about to do, for people."""
    return _told(_functions())


def _told(functions: list[Function]) -> str:
    return f"scoring {len(functions)} variance functions of the libraries that are here"


def _functions() -> list[Function]:
    from .league import FUNCTIONS, places  # noqa: PLC0415

    return [each for each in FUNCTIONS.values() if each.library not in APART and not isinstance(places.here(each), str)]


def _frameworks(folder: Path, say: Callable[[str], None]) -> None:
    from .findings import measured  # noqa: PLC0415
    from .frameworks import observing as conventions  # noqa: PLC0415 - each only where it is needed
    from .frameworks.catalogue import FRAMEWORKS  # noqa: PLC0415

    here = [each for each in FRAMEWORKS.values() if each.measured and each.importable()]
    rows = [row for each in here for row in conventions.probe(each, threads=(1,), say=say)]
    if rows:
        measured.write(folder / measured.NAME, measured.content(rows))
    else:
        (folder / measured.NAME).unlink(missing_ok=True)


def _libraries(folder: Path, say: Callable[[str], None], seed: int) -> None:
    from .league import league_record, places  # noqa: PLC0415
    from .league import measure as league  # noqa: PLC0415
    from .league.league_rows import rows  # noqa: PLC0415

    here = _functions()
    say(_told(here))
    matrices, left_out = rows("quick", seed=seed)
    found = league(here, matrices, places.here, threads=(1,), repeats=1, ours=False)
    found.settings = {"level": "quick", "seed": seed, "only": None, "left_out": left_out}
    league_record.write(folder / league_record.NAME, found.content(["varstudy", "run"]))

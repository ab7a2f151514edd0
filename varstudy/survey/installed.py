"""Measure the frameworks and libraries that are installed here, as the companion of a study. It installs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .findings import measured
from .findings.measured import FindingRow
from .frameworks.catalogue import FRAMEWORKS
from .frameworks.declaring import Framework
from .frameworks.observing import probe
from .league import interpreters, league_record, measure
from .league.league_rows import rows
from .libraries.catalogue import FUNCTIONS
from .libraries.declaring import Function

__all__ = ["InstalledSoftware", "SoftwareResults", "installed_software"]


@dataclass(frozen=True)
class SoftwareResults:
    """What was measured: the content of a measured.json, None where no framework is here, and of a league.json."""

    findings: dict[str, Any] | None
    league: dict[str, Any]


@dataclass(frozen=True)
class InstalledSoftware:
    """The frameworks and the functions that a study measures next to its cells.

    Attributes
    ----------
    frameworks, functions : each in this interpreter.
    ask : gives the findings of a framework.
    """

    frameworks: tuple[Framework, ...]
    functions: tuple[Function, ...]
    ask: Callable[..., Sequence[FindingRow]] = probe

    def summary(self) -> str:
        """What is about to be measured, for people."""
        return f"scoring {len(self.functions)} variance functions of the libraries that are here"

    def measure(self, seed: int, say: Callable[[str], None]) -> SoftwareResults:
        """Probe the frameworks and score the functions, once. What does not answer is a row that says so.

        Parameters
        ----------
        seed : of the rows' random values. say : gets what is being measured.
        """
        findings = [row for each in self.frameworks for row in self.ask(each, threads=(1,), say=say)]
        say(self.summary())
        matrices, left_out = rows("quick", seed=seed)
        found = measure(self.functions, matrices, interpreters.here, threads=(1,), repeats=1, ours=False)
        found.settings = {"level": "quick", "seed": seed, "only": None, "left_out": left_out}
        return SoftwareResults(measured.content(findings) if findings else None, found.content(["varstudy", "run"]))

    def write(self, found: SoftwareResults, folder: Path) -> None:
        """Write measured.json and league.json; an older measured.json goes where no framework was asked.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        if found.findings is None:
            (folder / measured.NAME).unlink(missing_ok=True)
        else:
            measured.write(folder / measured.NAME, found.findings)
        league_record.write(folder / league_record.NAME, found.league)


def installed_software() -> InstalledSoftware:
    """All that this interpreter can import, without what starts a server."""
    frameworks = [each for each in FRAMEWORKS.values() if each.measured and each.importable()]
    functions = [
        each
        for each in FUNCTIONS.values()
        if not each.belongs_to.server and not isinstance(interpreters.here(each), str)
    ]
    return InstalledSoftware(tuple(frameworks), tuple(functions))

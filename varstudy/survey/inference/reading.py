"""Observations as arrays: what each fresh layer was asked, gave and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..probes import questions
from .finding import Finding, failed, not_applicable, undetermined

__all__ = ["Problem", "Run", "Statistics", "Table", "Variant", "decoded", "numbers"]

Table = NDArray[np.float64]
Statistics = dict[str, Table]


@dataclass(frozen=True)
class Problem:
    """Why there is nothing to conclude from."""

    unsupported: bool
    sentence: str

    def finding(self, name: str) -> Finding:
        return (not_applicable if self.unsupported else failed)(name, self.sentence)


def numbers(values: Any) -> Table:
    """A list with the strings "nan", "inf" and "-inf" as a float64 array."""
    return np.array(values, dtype=np.float64)


def decoded(statistics: Mapping[str, Any] | None) -> Statistics | None:
    """The running statistics that were written down, each a vector; None where there are none."""
    if statistics is None or not {"mean", "var"} <= statistics.keys():
        return None
    found: Statistics = {}
    for key, value in statistics.items():
        try:
            found[key] = numbers(value).reshape(-1)
        except (TypeError, ValueError):
            continue
    return found if {"mean", "var"} <= found.keys() else None


def problem_of(record: Mapping[str, Any]) -> Problem | None:
    """What an answer or an event says that went wrong."""
    if "unsupported" in record:
        return Problem(True, str(record["unsupported"]))
    return Problem(False, str(record["error"])) if "error" in record else None


@dataclass(frozen=True)
class Run:
    """One fresh layer: how it was made and what followed."""

    made: Mapping[str, Any]
    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.made.get("arguments", {})  # type: ignore[no-any-return]

    @property
    def signature(self) -> Mapping[str, Any]:
        return self.made.get("signature", {})  # type: ignore[no-any-return]

    @property
    def initial(self) -> Statistics | None:
        return decoded(self.made.get("running"))

    @property
    def problem(self) -> Problem | None:
        """The first thing that went wrong."""
        return next((found for event in (self.made, *self.events) if (found := problem_of(event))), None)

    def event(self, do: str, index: int = 0) -> Mapping[str, Any]:
        """The index-th call of that name; {} if there is none."""
        calls = [event for event in self.events if event["do"] == do]
        return calls[index] if index < len(calls) else {}

    def table(self, do: str, key: str = "y", index: int = 0) -> Table | None:
        """What the index-th call gave, (groups, values)."""
        said = self.event(do, index).get(key)
        return None if said is None else numbers(said["values"])

    def points(self, do: str = "train") -> list[tuple[list[int], Table]]:
        """What a call gave at recorded positions, group by group."""
        said = self.event(do).get("y")
        if said is None or "at" not in said:
            return []
        return [(where, numbers(values)) for where, values in zip(said["at"], said["values"], strict=True)]

    def after(self) -> list[Statistics | None]:
        """The running statistics after each training step, whichever call moved them."""
        found: list[Statistics | None] = []
        for event in self.events:
            if event["do"] == "train":
                found.append(decoded(event.get("running")))
            elif event["do"] in ("update", "backward") and found:
                found[-1] = decoded(event.get("running"))
        return found


@dataclass(frozen=True)
class Variant:
    """Everything that was observed of one kind and variant of layer."""

    kind: str
    name: str
    answers: Mapping[str, Any]

    def runs(self, question: str) -> list[Run]:
        """The layers that were made for a question."""
        found: list[Run] = []
        for event in self.answers.get(question, {}).get("events", []):
            if event["do"] == "layer":
                found.append(Run(event))
            elif found:
                found[-1].events.append(event)
        return found

    def run(self, question: str, index: int = 0) -> Run | None:
        runs = self.runs(question)
        return runs[index] if index < len(runs) else None

    def problem(self, question: str, index: int = 0) -> Problem | None:
        """Why a question has no answer, or an incomplete one."""
        answer = self.answers.get(question)
        if answer is None:
            return Problem(True, "it was not asked")
        whole = problem_of(answer)
        run = self.run(question, index)
        return whole or (run.problem if run else Problem(False, "the layer was not made"))

    def unanswered(self, question: str, name: str) -> Finding:
        """The finding on a property whose question has no usable answer."""
        problem = self.problem(question)
        return problem.finding(name) if problem else undetermined(name, "the answer is not there, or incomplete")

    def batches(self, question: str) -> list[Table]:
        """The tables that were handed over."""
        return [np.asarray(table) for table in questions.batches(question, self.kind, self.name)]

    @cached_property
    def chosen(self) -> dict[str, str]:
        """Properties that the adapter had to choose for the framework, with its sentence on each."""
        found: dict[str, str] = {}
        for answer in self.answers.values():
            for event in answer.get("events", []):
                found.update(event.get("chosen") or {})
        return found

    @cached_property
    def keeps(self) -> bool:
        """Whether any running statistics were ever seen."""
        return any(
            decoded(event.get("running")) is not None
            for answer in self.answers.values()
            for event in answer.get("events", [])
        )

"""The running variance after each batch of one stream, by the law that each framework was found to follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ...survey.probes import questions
from ..model.measured_layers import Layer, is_number, words
from ..rendering import sentence
from ..words import clean, code, listing, number

__all__ = ["Law", "RunningTable", "following", "laws", "stream", "tabulated"]

Floats = NDArray[np.float64]
_STEADY, _SPIKE = -1, 2  # the channel that no batch disturbs, and the one that the third batch does


@dataclass(frozen=True)
class Law:
    """How a running variance follows the batches: enough to follow any stream.

    Attributes
    ----------
    weights : of the new batch at each step; the old statistics have the rest. correction : in the batch's divisor.
    start : before any batch. added : to each batch's variance. before : the same, before the divisor corrects it.
    """

    weights: tuple[float, ...]
    correction: float
    start: float
    added: float = 0.0
    before: float = 0.0

    def sentence(self) -> str:
        """For people."""
        adds = f", epsilon {number(self.added)} added" if self.added else ""
        adds += f", epsilon {number(self.before)} added before the divisor" if self.before else ""
        weight = words("", list(self.weights)).replace(" at each step", "")
        return (
            f"weight {weight}, divisor {words('correction.running', self.correction)}, from {number(self.start)}{adds}"
        )


@dataclass
class Laws:
    """The distinct laws, with the layers that follow each; and those that none can be drawn of, by why."""

    found: dict[Law, list[Layer]] = field(default_factory=dict)
    without: dict[str, list[Layer]] = field(default_factory=dict)


def stream() -> tuple[Floats, int]:
    """The sums of squared deviations in the batches of the probe's question ``steps``, and of how many values.

    Shape (batches, channels); the values are small integers, and so are their means: nothing is rounded.
    """
    tables = np.array(questions.batches("steps", "batch", "NCHW")[: questions.STEPS])
    deviations = tables - tables.mean(axis=2, keepdims=True)
    return np.asarray((deviations**2).sum(axis=2)), tables.shape[2]


def following(law: Law) -> Floats:
    """The running variances before the first batch and after each, by channel: shape (batches + 1, channels)."""
    squares, n = stream()
    kept = [np.full(squares.shape[1], law.start)]
    for weight, m2 in zip(law.weights, squares, strict=True):
        kept.append((1 - weight) * kept[-1] + weight * ((m2 + n * law.before) / (n - law.correction) + law.added))
    return np.array(kept)


def laws(layers: Sequence[Layer]) -> Laws:
    """The laws of some layers of batch norm, those that most frameworks follow first."""
    made = Laws()
    for layer in layers:
        law = _law(layer)
        if isinstance(law, str):
            made.without.setdefault(law, []).append(layer)
        else:
            made.found.setdefault(law, []).append(layer)
    made.found = dict(sorted(made.found.items(), key=lambda item: -len(_names(item[1]))))
    return made


def _law(layer: Layer) -> Law | str:
    kept, update, when = (layer.value(name) for name in ("running.keeps", "running.update", "running.when"))
    if kept == "none kept" or update == "none kept":
        return "keeps no running statistics"
    if kept not in (None, "variance"):
        return f"keeps the {clean(kept)}"
    if update in ("accumulated decay", "other"):
        return "its law was not determined, or keeps more of the old than the weight of the new tells"
    if when in ("never", "next forward"):
        return {"never": "its statistics never move", "next forward": "its statistics move one batch later"}[when]
    asked = {name: row.status for name, row in layer.rows.items()}
    if asked.get("running.update") == "not applicable":
        return "its statistics follow no batches"
    if asked.get("running.weight") == "not applicable":
        return "the new batch has no weight by default"
    if asked.get("initial.var") == "not applicable":
        return "its first statistics are given to it, not its own"
    values = [layer.value(name) for name in ("running.weight", "correction.running", "initial.var")]
    weights, correction, start = values
    if not isinstance(weights, list) or len(weights) != questions.STEPS or not all(map(is_number, weights)):
        return "the weights of its batches were not determined"
    if not is_number(correction) or not is_number(start):
        return "the divisor or the start of its running variance was not determined"
    epsilon, enters = layer.value("epsilon.default"), layer.value("epsilon.in_running")
    if enters in (None, "no") or not is_number(epsilon):
        epsilon = 0.0
    within = 0.0 if enters == "added" else epsilon  # the measured divisor has epsilon in it, too, where it belongs
    rounded = tuple(float(f"{weight:.4g}") for weight in weights)
    return Law(rounded, float(correction), float(start), float(epsilon - within), float(within))


def _names(layers: Sequence[Layer]) -> list[str]:
    return list(dict.fromkeys(layer.framework for layer in layers))


@dataclass(frozen=True)
class RunningTable:
    """What each law makes of one stream of batches.

    Attributes
    ----------
    lead : what the table holds and shows, in sentences. steps : batches seen.
    own : the variances of the batches that are compared, every one and the third, with divisor n.
    lines : a law in words, its frameworks, and the running variance after the last batch where every batch is alike and
        where the third has a larger variance.
    without : what has no line.
    """

    lead: tuple[Markup, ...]
    steps: int
    own: tuple[str, str]
    lines: tuple[tuple[str, Markup, str, str], ...]
    without: tuple[Markup, ...]


def tabulated(layers: Sequence[Layer]) -> RunningTable | None:
    """A line a law, those that most frameworks follow first; None where no law was determined."""
    made = laws(layers)
    if not made.found:
        return None
    squares, n = stream()
    truth = squares / n
    ends = {law: following(law)[-1] for law in made.found}
    steady = {law: float(end[_STEADY]) for law, end in ends.items()}
    low, high = min(steady, key=steady.__getitem__), max(steady, key=steady.__getitem__)
    frameworks = len(_names([layer for group in made.found.values() for layer in group]))
    lead = [sentence("running_variance", steps=questions.STEPS, n=n, laws=len(ends), frameworks=frameworks)]
    if len(ends) > 1:
        span = {
            "low": steady[low], "lowest": _some(made.found[low]),
            "high": steady[high], "highest": _some(made.found[high]),
        }  # fmt: skip
        lead.append(sentence("running_variance_span", steps=questions.STEPS, frameworks=frameworks, **span))
    return RunningTable(
        tuple(lead),
        questions.STEPS,
        (number(truth[0, _STEADY]), number(truth[_SPIKE, _SPIKE])),
        tuple(
            (law.sentence(), _all(group, made), number(steady[law]), number(float(ends[law][_SPIKE])))
            for law, group in made.found.items()
        ),
        tuple(Markup("No line, {}: {}.").format(why, _all(group, made)) for why, group in made.without.items()),
    )


def _some(layers: Sequence[Layer], most: int = 3) -> Markup:
    names = _names(layers)
    shown = [code(name) for name in names[:most]]
    return listing(shown) if len(names) <= most else Markup("{} and {} more").format(listing(shown), len(names) - most)


def _all(layers: Sequence[Layer], made: Laws) -> Markup:
    """The frameworks; with their variants where others of their variants do otherwise."""
    groups = [*made.found.values(), *made.without.values()]
    shown = []
    for name in _names(layers):
        mine = [layer.variant for layer in layers if layer.framework == name]
        split = sum(any(layer.framework == name for layer in group) for group in groups) > 1
        shown.append(Markup("{} ({})").format(code(name), clean("; ".join(mine))) if split else code(name))
    return listing(shown)

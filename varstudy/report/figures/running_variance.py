"""The running variance after each batch of one stream, by the law that each framework was found to follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...survey.probes import questions
from ..model.measured_layers import Layer, is_number, words
from ..rendering import sentence
from ..words import clean, code, listing, number, short
from .draw import Drawn, Floats, canvas, decades, slim, svg, token

__all__ = ["Law", "draw", "following", "laws", "stream"]

_MARKERS = "os^Dv*PXphd<>"
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)))
_COLOURS = tuple(f"c{i}" for i in range(9))
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

    def short(self) -> str:
        """The same in a few words."""
        first, last = (number(weight) for weight in (self.weights[0], self.weights[-1]))
        weight = first if len(set(self.weights)) == 1 else f"{first} … {last}"
        return f"{weight}, {words('correction.running', self.correction)}, from {number(self.start)}"


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


def draw(layers: Sequence[Layer]) -> Drawn:
    """One line a law, on a channel whose batches are alike and on one with a batch of larger variance."""
    made = laws(layers)
    if not made.found:
        return Drawn(None)
    curves = {law: following(law) for law in made.found}
    squares, n = stream()
    truth = squares / n
    k = np.arange(questions.STEPS + 1)
    with canvas("running-variance"):
        rows = -(-len(curves) // 2)
        fig = Figure(figsize=(12.4, 5.4 + 0.27 * rows), layout="constrained")
        for place, (channel, heading) in enumerate(
            (
                (_STEADY, f"every batch has the variance {number(truth[0, _STEADY])}"),
                (_SPIKE, f"the third batch has the variance {number(truth[_SPIKE, _SPIKE])}"),
            )
        ):
            ax = fig.add_subplot(1, 2, place + 1)
            ax.set_yscale("log")
            for i, (law, kept) in enumerate(curves.items()):
                # A start at zero has no place on this axis.
                shown = np.where(kept[:, channel] > 0, kept[:, channel], np.nan)
                label = f"{_letter(i)}: {short(', '.join(_names(made.found[law])), 42)} ({law.short()})"
                ax.plot(
                    k, shown, color=token(_COLOURS[i % len(_COLOURS)]), marker=_MARKERS[i % len(_MARKERS)],
                    ls=_DASHES[i % len(_DASHES)], lw=1.4, label=None if place else label, zorder=3,
                )  # fmt: skip
            ax.plot(
                k[1:], truth[:, channel], color=token("ink"), marker="_", ms=16, mew=1.4, ls="none", zorder=2,
                label="each batch’s own variance, divisor n" if not place else None,
            )  # fmt: skip
            decades(ax, "y")
            _ends(ax, [float(kept[-1, channel]) for kept in curves.values()])
            ax.set_xticks(k)
            ax.set_title(heading)
            ax.set_xlabel("batches seen, k")
            if not place:
                ax.set_ylabel("running variance after k batches")
        fig.legend(loc="outside upper center", ncols=2, fontsize=9, handlelength=3)
        drawing = slim(svg(fig, "rv", f"Running variance after each of {questions.STEPS} batches, by law"))
    return Drawn(drawing, _notes(made, curves, n))


def _ends(ax: Axes, ends: Sequence[float]) -> None:
    """The letters of the curves at their ends; those that would cover each other share a place."""
    low, high = np.log10(ax.get_ylim())
    groups: list[tuple[float, list[str]]] = []
    for end, letter in sorted((end, _letter(i)) for i, end in enumerate(ends) if end > 0):
        if groups and np.log10(end / groups[-1][0]) < 0.035 * (high - low):
            groups[-1][1].append(letter)
        else:
            groups.append((end, [letter]))
    for end, letters in groups:
        ax.annotate(
            " ".join(letters), (questions.STEPS, end), xytext=(9, 0), textcoords="offset points", va="center",
            annotation_clip=False, fontsize=9,
        )  # fmt: skip


def _letter(place: int) -> str:
    return chr(ord("A") + place % 26) + ("" if place < 26 else str(place // 26))


def _notes(made: Laws, curves: dict[Law, Floats], n: int) -> tuple[Markup, ...]:
    ends = {law: float(kept[-1, _STEADY]) for law, kept in curves.items()}
    low, high = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
    frameworks = len(_names([layer for group in made.found.values() for layer in group]))
    notes = [sentence("running_variance", steps=questions.STEPS, n=n, laws=len(curves), frameworks=frameworks)]
    if len(curves) > 1:
        span = {
            "low": ends[low],
            "lowest": _some(made.found[low]),
            "high": ends[high],
            "highest": _some(made.found[high]),
        }
        notes.append(sentence("running_variance_span", steps=questions.STEPS, **span))
    for place, (law, layers) in enumerate(made.found.items()):
        notes.append(Markup("<b>{}</b> {}: {}.").format(_letter(place), law.sentence(), _all(layers, made)))
    notes += [Markup("Not drawn, {}: {}.").format(why, _all(layers, made)) for why, layers in made.without.items()]
    return tuple(notes)


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

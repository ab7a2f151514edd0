"""``repro.json`` of a framework's folder: how its layers are called in a script of a few lines.

``layers`` has an expression for each kind and variant, ``run`` the lines from the array ``x`` to the array ``y``, by
``kind/variant``, variant or kind, and for all others under the empty name. Words in braces are filled in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..frameworks.declaring import Framework
from .finding import NoScript

__all__ = ["NAME", "Recipe", "filled", "recipe"]

NAME = "repro.json"


@dataclass(frozen=True)
class Recipe:
    """How to call the layers of a framework.

    Attributes
    ----------
    imports : lines. version : an expression. threads : lines that say how many, or where it runs.
    layers, run : as the module says. make : the line that makes ``layer`` of the expression {layer}.
    last : how names of variants begin whose channels come last. epsilon : the argument's name; empty where it has none.
    kept : an expression of the running variance of the first channel, after a training step.
    momentum : the value that is handed over where the framework has no default.
    answers : how outputs and gradients are asked for. ``layers`` has expressions, ``y`` lines from ``x`` to ``y``,
        ``gradients`` lines from ``x`` and ``dy`` to ``dx``, ``dweight`` and ``dbias``; each by kind and memory, by kind
        and format of the parameters, by kind, by memory, or for all others under the empty name; first by a framework's
        name and kind or its name, for folders that have several. ``last``: whether channels-last values are handed
        over as (N, H, W, C). ``seed``: of values that show it, where those of 2 do not.
    sync : the lines to an array ``y`` of what merges ranks, by how names of variants of sync begin, up to a comma.
    systems : for each of `varstudy.survey.systems` the lines from ``x`` to the output ``y``, by its name.
    """

    imports: Sequence[str]
    version: str
    layers: Mapping[str, Mapping[str, str]]
    run: Mapping[str, Sequence[str]]
    threads: Sequence[str] = ()
    by_cores: bool = False
    make: str = "layer = {layer}"
    last: Sequence[str] = ()
    epsilon: str = ""
    kept: str = ""
    momentum: float | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    sync: Mapping[str, Sequence[str]] = field(default_factory=dict)
    systems: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def calls(
        self, kind: str, variant: str, threads: int, options: str = "", **given: object
    ) -> tuple[list[str], list[str]]:
        """The lines before the data, and those from ``x`` to ``y``.

        Parameters
        ----------
        options : further arguments of the layer, beginning with a comma. given : what is filled in, by name.

        Raises
        ------
        NoScript
            It does not say how this layer is called.
        """
        expression = self.layers.get(kind, {}).get(variant)
        names = (f"{kind}/{variant}", variant, kind, "")
        run = next((self.run[name] for name in names if name in self.run), None)
        if expression is None or run is None:
            raise NoScript(f"no short script calls {kind} norm, {variant}: its adapter does")
        words = {"options": options, "threads": threads, **given}
        layer = filled(expression, words).replace("(, ", "(")
        lines = [self.make.replace("{layer}", layer), *(filled(line, words) for line in run)]
        return [filled(line, words) for line in self.threads], lines


def filled(text: str, given: Mapping[str, object]) -> str:
    """A line with its words in braces filled in; other braces stay."""
    for name, value in given.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def recipe(framework: Framework) -> Recipe:
    """The recipe in a framework's folder.

    Raises
    ------
    NoScript
        There is none.
    """
    found = _read(framework.folder / NAME)
    if found is None:
        raise NoScript(f"no short script calls {framework.title} yet: 'python -m varstudy frameworks --install "
                       f"{framework.name}' measures it again")  # fmt: skip
    return found


@cache
def _read(path: Path) -> Recipe | None:
    return Recipe(**json.loads(path.read_text("utf-8"))) if path.is_file() else None

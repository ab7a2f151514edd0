"""Names that people type and that no framework here has: what they mean, or what to choose from."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .maths import PortError

__all__ = ["InferenceTarget", "inference_targets", "meaning"]

# Name -> framework, and what to say of it.
_ONE: dict[str, tuple[str, str]] = {
    "pytorch": ("torch", ""),
    "onnx": ("onnxruntime", "onnx is taken for onnxruntime; onnx-reference keeps the same state."),
    "detectron2": (
        "torch",
        (
            "Detectron2's layers are torch's: the code reads its FrozenBatchNorm2d, which has no momentum and always "
            "evaluates with the running statistics; freeze the target, too."
        ),
    ),
}
# Name -> what it can be.
_SEVERAL: dict[str, tuple[str, ...]] = {
    "tensorflow": ("keras-tensorflow", "tf_keras", "tf.nn"),
    "tf": ("keras-tensorflow", "tf_keras", "tf.nn"),
    "jax": ("flax-linen", "flax-nnx", "haiku", "equinox", "keras-jax"),
}


@dataclass(frozen=True)
class InferenceTarget:
    """A target that only infers, from a model that its converter reads: it keeps no running statistics to train with.

    Attributes
    ----------
    name, title : for commands and for people. also : other names. through : the frameworks to port to.
    sentence, source : what its converter does with a batch norm, and where that was read; empty if it was not.
    """

    name: str
    also: tuple[str, ...]
    title: str
    through: str
    sentence: str
    source: str

    def answer(self) -> str:
        """What to say to somebody who names it."""
        told = f"; {self.sentence} (read, not measured: {self.source})" if self.sentence else ""
        return (
            f"{self.title} only infers, from a model that its converter reads: name {self.through}, and fold the batch "
            f"norm into the convolution before it with varstudy.survey.folding.fold_layers{told}"
        )


@cache
def inference_targets() -> dict[str, InferenceTarget]:
    """Every name of a target that only infers."""
    rows = json.loads(Path(__file__).with_name("inference_targets.json").read_text("utf-8"))
    found = [InferenceTarget(**{**row, "also": tuple(row["also"])}) for row in rows]
    return {name: each for each in found for name in (each.name, *each.also)}


def meaning(name: str, known: Collection[str]) -> tuple[str, str]:
    """The framework that a name means, and a sentence on the choice; the name itself where it is none of these.

    Parameters
    ----------
    name : in lower case, without a variant.
    known : the frameworks that there are.

    Raises
    ------
    PortError
        It means several, or what only infers; the sentence says what to name.
    """
    if name in known:
        return name, ""
    plain = "".join(letter for letter in name if letter.isalnum())
    framework, said = _ONE.get(plain, (name, ""))
    if framework in known:
        return framework, said
    several = [each for each in _SEVERAL.get(plain, ()) if each in known]
    if several:
        raise PortError(f"{name} can be {', '.join(several)}: name one of them")
    if plain in inference_targets():
        raise PortError(inference_targets()[plain].answer())
    return name, ""

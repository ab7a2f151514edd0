"""Names that people type and that no framework here has: what they mean, or what to choose from."""

from __future__ import annotations

from collections.abc import Collection

from .maths import PortError

__all__ = ["meaning"]

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
# Name -> what a model goes through on its way there: they only infer, and keep no running statistics to train with.
_INFERENCE: dict[str, tuple[str, str]] = {
    "tflite": ("TensorFlow Lite", "keras-tensorflow or tf_keras"),
    "coreml": ("Core ML", "torch or keras-tensorflow"),
    "tensorrt": ("TensorRT", "onnxruntime, whose model it reads"),
}
_SPELT = {"tensorflowlite": "tflite", "litert": "tflite", "coremltools": "coreml", "trt": "tensorrt"}


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
    plain = _SPELT.get(plain, plain)
    framework, said = _ONE.get(plain, (name, ""))
    if framework in known:
        return framework, said
    several = [each for each in _SEVERAL.get(plain, ()) if each in known]
    if several:
        raise PortError(f"{name} can be {', '.join(several)}: name one of them")
    if plain in _INFERENCE:
        title, through = _INFERENCE[plain]
        raise PortError(
            f"{title} only infers, from a model that its converter reads: name {through}, and fold the batch norm into "
            "the convolution before it with varstudy.survey.folding.fold_layers if it stands alone"
        )
    return name, ""

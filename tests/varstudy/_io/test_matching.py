"""What people type: a name, a part of one, words of a description; and what is suggested where it means nothing."""

from __future__ import annotations

import pytest

from varstudy._io.matching import meant, nearest, unique

NAMES = {
    "flax-nnx": "Flax NNX",
    "onnx-reference": "ONNX, its reference evaluator",
    "torch": "PyTorch",
    "keras-torch": "Keras on PyTorch",
    "museum/pytorch/pytorch#2470": "Two numbers a quarter apart",
    "norms/relu": "a map under group norm, batch norm",
}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("torch", ["torch"]),
        ("TORCH", ["torch"]),
        ("pytorch", ["torch"]),
        ("nnx", ["flax-nnx", "onnx-reference"]),
        ("*torch", ["torch", "keras-torch"]),
        ("#2470", ["museum/pytorch/pytorch#2470"]),
        ("quarter", ["museum/pytorch/pytorch#2470"]),
        ("group norm", ["norms/relu"]),
        ("norm relu group", ["norms/relu"]),
        ("numbers*apart", []),
        ("*numbers*apart", ["museum/pytorch/pytorch#2470"]),
        ("welford", []),
    ],
)
def test_a_pattern_means_names_before_parts_before_descriptions(pattern: str, names: list[str]) -> None:
    assert meant(pattern, NAMES) == names


def test_the_one_that_is_meant() -> None:
    assert unique("nnx", NAMES, what="framework", fallback="") == "flax-nnx", "it begins a word there"
    assert unique("evaluator", NAMES, what="framework", fallback="") == "onnx-reference"


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("tor", "framework 'tor' can be 3: torch, keras-torch, museum/pytorch/pytorch#2470; name one of them"),
        ("trch", "framework 'trch' is unknown: did you mean torch?"),
        ("zzz", "framework 'zzz' is unknown: see the list"),
        ("", "framework '' is unknown: see the list"),
    ],
)
def test_several_or_none_are_one_sentence(pattern: str, sentence: str) -> None:
    with pytest.raises(LookupError) as caught:
        unique(pattern, NAMES, what="framework", fallback="see the list")
    assert str(caught.value) == sentence


def test_more_than_a_few_are_counted() -> None:
    with pytest.raises(LookupError, match="can be 9: n0, n1, n2, n3 and 5 more; name one of them"):
        unique("n", {f"n{k}": "" for k in range(9)}, what="name", fallback="")


def test_only_what_resembles_is_suggested() -> None:
    known = ["museum/pytorch/pytorch#2470", "two_pass", "Welford"]
    assert nearest("pytorch#2471", known, "none") == "did you mean museum/pytorch/pytorch#2470?"
    assert nearest("welfrod", known, "none") == "did you mean Welford?"
    assert nearest("no-such-thing", known, "none") == "none"
    assert nearest("no-such-thing", known) == f"use one of {', '.join(known)}"

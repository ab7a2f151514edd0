"""Which way of testing catches which faulty layer norm: the table of vectors.md, computed. Run it from the checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "kernels"), str(ROOT)]

import other_kernels as other  # noqa: E402
from norm_kernels import CORRECT, FAULTY  # noqa: E402

from varkernels.formats import FORMATS  # noqa: E402
from varstudy.testing import assert_norm, tolerance  # noqa: E402
from varstudy.vectors.calling import signature  # noqa: E402
from varstudy.vectors.cases import DTYPES  # noqa: E402

PAGE = ROOT / "docs" / "vectors.md"
MARK = "<!-- protocols -->"
OTHER = """
The other norms, by kernels of `tests/other_kernels.py`; all were judged in float16, too. They were written after the
vectors, but for the families long-map and long-table, which show a running sum. It shows in float32 alone: the values
of a 16-bit format are so coarse that a float32 sum of 65,600 of them is nearly exact.
"""
# Data, and the tolerance (absolute and relative) for float32 and bfloat16.
PROTOCOLS: dict[str, tuple[Callable[[Any, tuple[int, int]], Any], dict[str, float]]] = {
    "randn, 1e-5 / 1e-2": (lambda rng, shape: rng.normal(size=shape), {"float32": 1e-5, "bfloat16": 1e-2}),
    "randn, 1e-4 / 1e-2": (lambda rng, shape: rng.normal(size=shape), {"float32": 1e-4, "bfloat16": 1e-2}),
    "uniform [0, 1), 1e-5 / 5e-2": (lambda rng, shape: rng.uniform(size=shape), {"float32": 1e-5, "bfloat16": 5e-2}),
    "-2.3 + 0.5 randn, 1e-2": (
        lambda rng, shape: -2.3 + 0.5 * rng.normal(size=shape),
        {"float32": 1e-2, "bfloat16": 1e-2},
    ),
}


def passes(function: Any, protocol: str, dtype: str) -> bool:
    """Whether a kernel agrees with the definition in float64 within a protocol's tolerance."""
    make, limits = PROTOCOLS[protocol]
    fmt, rng = FORMATS[dtype], np.random.default_rng(0)
    for shape in ((4, 256), (32, 1024), (8, 4096)):
        x = fmt.rounded(make(rng, shape))
        w, b = fmt.rounded(rng.uniform(size=shape[1])), fmt.rounded(rng.normal(size=shape[1]))
        wide, w_, b_ = (each.astype(np.float64) for each in (x, w, b))
        d = wide - wide.mean(axis=1, keepdims=True)
        exact = d / np.sqrt((d * d).mean(axis=1, keepdims=True) + 1e-5) * w_ + b_
        with np.errstate(all="ignore"):
            y = np.asarray(function(x, w, b, 1e-5)).astype(np.float64)
        if not np.allclose(y, exact, rtol=limits[dtype], atol=limits[dtype]):
            return False
    return True


def kept(function: Any, dtype: str, profile: str = "single", norm: str = "layer", backward: bool = False) -> bool:
    """Whether the vectors let a kernel pass."""
    try:
        assert_norm(function, norm, dtype, profile, backward)
    except AssertionError:
        return False
    return True


def agrees(function: Any, norm: str, backward: bool, dtype: str) -> bool:
    """Whether a kernel of another norm agrees with the exact answer on normal values, as in the first protocol."""
    fmt, rng = FORMATS[dtype], np.random.default_rng(0)
    limit = {"float32": 1e-5, "bfloat16": 1e-2}[dtype]
    if norm == "sync":
        counts = np.array([32, 32, 32, 32])
        means, variances = fmt.rounded(rng.normal(size=(4, 16))), fmt.rounded(rng.uniform(0.5, 1.5, size=(4, 16)))
        given: dict[str, Any] = {"counts": counts, "means": means, "variances": variances}
        exact = other.CORRECT[norm, False]["float64"][1](counts, means, variances)
    else:
        shape = (4, 16, 8, 8) if norm in ("group", "instance", "batch") else (16, 256)
        x, dy = fmt.rounded(rng.normal(size=shape)), fmt.rounded(rng.normal(size=shape))
        w, b = fmt.rounded(rng.uniform(size=shape[1])), fmt.rounded(rng.normal(size=shape[1]))
        given = {"x": x, "dy": dy, "weight": w, "bias": b, "epsilon": 1e-5, "groups": 2, "correction": 1}
        asked: dict[str, Any] = {} if norm == "variance" else {"weight": w}
        asked |= {"groups": 2} if norm == "group" else {}
        asked |= {"dy": dy} if backward else {"bias": b} if norm in ("layer", "group", "instance", "batch") else {}
        limits = tolerance(x, norm, epsilon=1e-5, **asked)
        names = signature(norm, backward)[1]
        exact = [limits["variance 1" if name == "variance" else name].exact.high for name in names]
    with np.errstate(all="ignore"):
        found = function(*(given[name] for name in signature(norm, backward)[0]))
    found = found if isinstance(found, tuple) else (found,)
    pairs = zip(found, exact, strict=False)
    return all(np.allclose(np.asarray(a).astype(float).reshape(e.shape), e, rtol=limit, atol=limit) for a, e in pairs)


def other_table() -> str:
    """The same for other norms: one protocol, and a count of the correct kernels that the vectors fail."""
    lines = ["| norm | faulty kernel | randn, 1e-5 / 1e-2 | vectors |", "|---|---|---|---|"]
    totals, good, count = np.zeros((2, 2), int), [], np.zeros(2, int)
    for (norm, backward), faults in other.FAULTY.items():
        formats = [each for each in ("float32", "bfloat16") if each in DTYPES[norm]]
        for name, function in faults.items():
            asked = formats[:1] if name in other.FLOAT32_ALONE else formats
            hits = [
                [not agrees(function, norm, backward, d), not kept(function, d, norm=norm, backward=backward)]
                for d in asked
            ]
            totals[:, : len(asked)] += np.array(hits).T
            count[: len(asked)] += 1
            cells = [
                [("-", "caught")[each] for each in column] + [""] * (2 - len(asked))
                for column in zip(*hits, strict=True)
            ]
            lines.append(
                f"| {norm}{', gradients' * backward} | {name} | " + " | ".join(" / ".join(c) for c in cells) + " |"
            )
        good += [
            kept(function, dtype, profile, norm, backward)
            for profile, function in other.CORRECT[norm, backward].values()
            for dtype in formats
        ]
    lines.append(f"| | caught, of {count[0]} / {count[1]} | " + " | ".join(f"{a} / {b}" for a, b in totals) + " |")
    kinds = sum(map(len, other.CORRECT.values()))
    lines += [
        "",
        f"Of {kinds} correct kernels in their profiles, in both formats, the vectors fail {good.count(False)}.",
    ]
    return "\n".join(lines)


def table() -> str:
    """The table, and a line on the correct kernels."""
    lines = ["| faulty kernel | " + " | ".join(PROTOCOLS) + " | vectors |", "|---" * (len(PROTOCOLS) + 2) + "|"]
    totals = np.zeros((len(PROTOCOLS) + 1, 2), int)
    for name, (dtypes, function) in FAULTY.items():
        cells = []
        for k, protocol in enumerate([*PROTOCOLS, ""]):
            found = []
            for column, dtype in enumerate(("float32", "bfloat16")):
                if dtype in dtypes:
                    hit = not (passes(function, protocol, dtype) if protocol else kept(function, dtype))
                    totals[k, column] += hit
                    found.append("caught" if hit else "-")
                else:
                    found.append("")
            cells.append(" / ".join(found))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    count = [sum(dtype in dtypes for dtypes, _ in FAULTY.values()) for dtype in ("float32", "bfloat16")]
    lines.append(f"| caught, of {count[0]} / {count[1]} | " + " | ".join(f"{a} / {b}" for a, b in totals) + " |")
    good = [
        kept(function, dtype, profile) for profile, function in CORRECT.values() for dtype in ("float32", "bfloat16")
    ]
    lines += [
        "",
        f"Of {len(CORRECT)} correct kernels in their profiles, in both formats, the vectors fail {good.count(False)}.",
    ]
    return "\n".join(lines)


def page() -> str:
    """The page with both tables computed."""
    text = PAGE.read_text("utf-8")
    head = text.partition(MARK)[0]
    return head + MARK + "\n" + table() + "\n\n" + OTHER.strip() + "\n\n" + other_table() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")

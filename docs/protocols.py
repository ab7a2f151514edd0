"""Which way of testing catches which faulty layer norm: the table of vectors.md, computed. Run it from the checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "kernels"), str(ROOT)]

from norm_kernels import CORRECT, FAULTY  # noqa: E402

from varkernels.formats import FORMATS  # noqa: E402
from varstudy.testing import assert_norm  # noqa: E402

MARK = "<!-- protocols -->"
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


def kept(function: Any, dtype: str, profile: str = "single") -> bool:
    """Whether the vectors let a kernel pass."""
    try:
        assert_norm(function, "layer", dtype, profile)
    except AssertionError:
        return False
    return True


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


if __name__ == "__main__":
    page = ROOT / "docs" / "vectors.md"
    head, _, _ = page.read_text("utf-8").partition(MARK)
    page.write_text(head + MARK + "\n" + table() + "\n", "utf-8")

"""NVVM's PTX made small and final: stable names, no comments, and every rounding spelled out.

NVVM writes `add.f32` for a sum that it chose not to contract, and leaves ptxas free to contract it after all.
`add.rn.f32` forbids that. Every sum and product left bare is pinned so, after NVVM's own contraction: what the
text says is then what any device executes, and what the executor and the mirror compute.
"""

from __future__ import annotations

import re

__all__ = ["VERSION", "body", "head"]

VERSION = "7.8"  # the oldest PTX that knows sm_90: drivers from CUDA 11.8 on

_BARE = re.compile(r"\b(add|sub|mul)\.(f32|f64)\b")
_FORBIDDEN = re.compile(r"\b(?:[a-z]+\.)+(?:approx|full|ftz)\b[.a-z0-9]*|\bcall\b|\.func\b|\.local\b")


def head(ptx: str, version: str | None = VERSION) -> str:
    """The version, target and address size that a module begins with.

    NVVM declares its own version of PTX (`version` None keeps it), which older drivers refuse; no kernel here needs
    more than VERSION on the targets that are committed.
    """
    text = ptx if version is None else re.sub(r"^\.version .*$", f".version {version}", ptx, flags=re.MULTILINE)
    return "\n".join(re.findall(r"^\.(?:version|target|address_size).*$", text, flags=re.MULTILINE)) + "\n"


def body(ptx: str, name: str) -> str:
    """The one kernel of a module, called `name`, with its shared memory.

    Raises
    ------
    ValueError
        The module has no kernel or several, calls a function, or holds an approximate, flushing or otherwise
        unwanted instruction.
    """
    text = re.sub(r"//.*$", "", ptx, flags=re.MULTILINE)
    text = re.sub(r"^\.(?:version|target|address_size).*$", "", text, flags=re.MULTILINE)
    # Numba's environments: for exceptions of Python, which kernels do not raise.
    text = re.sub(r"^\.common \.global .*NumbaEnv.*$", "", text, flags=re.MULTILINE)
    entries = re.findall(r"\.visible \.entry (\w+)\(", text)
    if len(entries) != 1:
        raise ValueError(f"kernel {name!r}: NVVM made {len(entries)} kernels of it instead of one")
    text = re.sub(rf"\b{re.escape(entries[0])}_param_(\d+)\b", r"p\1", text)
    text = text.replace(entries[0], name)
    text = re.sub(r"^\.visible \.shared", ".shared", text, flags=re.MULTILINE)
    shared = re.findall(r"^\.shared .*?(\w+)\[\d+\];$", text, flags=re.MULTILINE)
    for index, mangled in enumerate(shared):
        text = re.sub(rf"\b{re.escape(mangled)}\b", f"shared{index}", text)
    # Within the kernel, so that a file of many kernels is a module too.
    memory = re.findall(r"^\.shared .*$", text, flags=re.MULTILINE)
    text = re.sub(r"^\.shared .*$", "", text, flags=re.MULTILINE)
    text = text.replace("{", "\n".join(["{", *memory]), 1)
    text = _BARE.sub(r"\1.rn.\2", text)
    text = re.sub(r"\$L__BB\d+_(\d+)", r"L\1", text)
    text = re.sub(r"[ \t]+", " ", text)
    lines = [line.strip() for line in text.splitlines()]
    final = "\n".join(line for line in lines if line) + "\n"
    bad = _FORBIDDEN.search(final)
    if bad:
        raise ValueError(f"kernel {name!r}: NVVM used {bad[0]!r}, which no kernel here may")
    return final

"""The documentation: examples that run, docstrings that say something."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from public_names import public

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

# ------------------------------------------------------------------------------------------------- examples


def with_examples() -> Iterator[str]:
    """Modules of which a docstring has an example. Those of varptx are an outline, with arrays to be filled in."""
    for folder, package in ((ROOT, "varstudy"), (ROOT / "kernels", "varkernels")):
        for path in sorted((folder / package).rglob("*.py")):
            if ">>> " in path.read_text("utf-8"):
                parts = path.relative_to(folder).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", list(with_examples()))
def test_a_module_s_examples(name: str) -> None:
    module = importlib.import_module(name)
    outcome = doctest.testmod(module)
    finder = doctest.DocTestFinder()
    examples = [example for found in finder.find(module) for example in found.examples]
    assert outcome.attempted == sum(doctest.SKIP not in example.options for example in examples)
    assert outcome.failed == 0


def test_the_functions_have_examples() -> None:
    assert {
        "varkernels.stats.functions",
        "varkernels.stats.streaming",
        "varkernels.stats.features",
        "varkernels",
    } <= set(with_examples())


@pytest.mark.parametrize(
    ("page", "examples"),
    [
        ("adding.md", 15),
        ("backward.md", 9),
        ("data.md", 14),
        ("gpu.md", 4),
        ("kernel.md", 13),
        ("numerics.md", 5),
        ("symptoms.md", 10),
        ("tutorial.md", 12),
    ],
)
def test_a_page_s_examples(page: str, examples: int) -> None:
    outcome = doctest.testfile(str(DOCS / page), module_relative=False)
    assert outcome.attempted >= examples
    assert outcome.failed == 0


# ----------------------------------------------------------------------------------------------- docstrings


def test_every_public_name_has_a_docstring() -> None:
    silent = [
        f"{package}.{name}"
        for package, module, name in public()
        if callable(thing := getattr(module, name)) and not (thing.__doc__ or "").strip()
    ]
    assert silent == []


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "extensions" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_docstrings_become_restructuredtext() -> None:
    text = """|x| is bounded, see `bounds` and ``a|b ``.

    q = sum x*x

Parameters
----------
x, y : arrays (rows,), and
    more of them. n : how many.
flag : bool
    Whether a|b.

A closing word.

Raises
------
ValueError, TypeError
    It is not
    one.

Returns
-------
A pair.
"""
    assert extension("prose").to_rst(text.splitlines()) == [
        "\\|x\\| is bounded, see `bounds` and ``a|b``.",
        "",
        "::",
        "",
        "       q = sum x*x",
        "",
        ":Parameters:",
        "   - **x**, **y**: arrays (rows,), and more of them.",
        "   - **n**: how many.",
        "   - **flag**: bool. Whether a\\|b.",
        "",
        "A closing word.",
        "",
        ":Raises:",
        "   - ``ValueError``, ``TypeError``: It is not one.",
        "",
        ":Returns:",
        "   A pair.",
        "",
    ]

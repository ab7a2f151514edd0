"""The committed PTX: complete, fresh, and free of what no kernel may hold. Needs no toolkit."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from varkernels.cuda import DeviceError, catalogue, library

KERNELS = catalogue.kernels()
TWINS = [kernel for kernel in KERNELS.values() if kernel.contracted]


def separate(kernel: catalogue.Kernel) -> str:
    return library.text(kernel.name.replace("_contracted", "_separate"))


def opcodes(text: str) -> list[str]:
    return re.findall(r"^(?:@!?%p\d+ )?([a-z][\w.]*)", text, flags=re.MULTILINE)


def test_every_kernel_is_there_once_and_nothing_else() -> None:
    names = [entry["name"] for entry in library.manifest()["kernels"]]
    assert sorted(names) == sorted(KERNELS)
    assert len(KERNELS) == 216
    files = {entry["file"] for entry in library.manifest()["kernels"]}
    assert files == {path.name for path in library.FOLDER.glob("*.ptx")}


def test_fresh() -> None:
    stale = library.stale({name: kernel.formula for name, kernel in KERNELS.items()})
    assert stale == [], f"{len(stale)} kernels are stale: run python -m varkernels.cuda.build"


def test_a_changed_verb_is_noticed_and_nothing_else_of_a_formula() -> None:
    def update(state: Any, n: int, x: Any) -> Any:
        return type(state)(x + state.s, state.q + x * x)

    naive = KERNELS["naive_finish_float32_contracted"].formula
    for formula, changed in ((replace(naive, update=update), True), (replace(naive, title="x", bound=None), False)):
        wanted = {n: formula if kernel.formula is naive else kernel.formula for n, kernel in KERNELS.items()}
        stale = library.stale(wanted)
        assert bool(stale) == changed
        assert all(name.startswith("naive_") for name in stale)


def test_a_verb_s_helpers_are_sources_too() -> None:
    kahan = KERNELS["kahan_two_pass_finish_float32_contracted"].formula
    texts: dict[str, str] = {}
    library.functions_of(kahan.update, texts)
    assert "varkernels.formulas.kahan_two_pass.add" in texts


def test_manifest_tells_versions_and_parts() -> None:
    manifest = library.manifest()
    assert manifest["targets"] == ["sm_80", "sm_90"]
    assert all(version != "absent" for version in manifest["versions"].values())
    for entry in manifest["kernels"]:
        kernel = KERNELS[entry["name"]]
        assert entry["formula"] == kernel.formula.name
        assert entry["kind"] == kernel.kind
        assert entry["lanes"] == kernel.lanes
        assert entry["storage"] == (kernel.storage.name if kernel.storage else None)
        assert entry["accumulator"] == kernel.accumulator.name
        assert entry["contracted"] == kernel.contracted
        body = library.text(entry["name"]).split(".address_size 64\n", 1)[1]
        assert hashlib.sha256(body.encode()).hexdigest() == entry["sha256"]


def test_small_enough() -> None:
    assert sum(path.stat().st_size for path in library.FOLDER.iterdir()) < 5_000_000


@pytest.mark.parametrize("target", library.TARGETS)
def test_text_names_its_target(target: str) -> None:
    text = library.text("naive_finish_float32_contracted", target)
    assert text.startswith(f".version 7.8\n.target {target}\n.address_size 64\n.visible .entry naive_finish_float32(")


@pytest.mark.parametrize("name", KERNELS)
def test_no_unwanted_instruction(name: str) -> None:
    kernel, text = KERNELS[name], library.text(name)
    found = opcodes(text)
    assert ".f64" not in text or kernel.accumulator.name == "float64"
    atomic = () if kernel.kind == "exact" else ("atom", "red")  # its sums of integers, in shared memory
    for word in ("approx", "ftz", "full", "call", "local", *atomic, "param.space"):
        assert not any(word in opcode.split(".") for opcode in found), word
    if kernel.accumulator.name == "float64":  # float32 values are read and widened, nothing else
        assert not re.search(r"\b(?:add|sub|mul|div|fma|rcp)\.rn\.f32", text)
    if kernel.kind == "exact":
        assert not any(opcode.endswith((".f16", ".f32", ".f64")) for opcode in found)
        return
    divides = {"div.rn.f32", "div.rn.f64", "rcp.rn.f32", "rcp.rn.f64"} & set(found)
    assert divides or kernel.formula.name in ("two_pass", "kahan_two_pass")
    # A sum or product without .rn would be ptxas's to contract.
    assert not re.search(r"\b(?:add|sub|mul|div|fma|sqrt|rcp)\.f(?:32|64)\b", text)


@pytest.mark.parametrize("kernel", TWINS, ids=lambda kernel: kernel.entry)
def test_contraction_is_the_only_difference_between_builds(kernel: catalogue.Kernel) -> None:
    def counts(text: str) -> dict[str, int]:
        found = opcodes(text)
        return {op: sum(o.startswith(f"{op}.rn.f") for o in found) for op in ("add", "sub", "mul", "fma", "div")}

    fused, apart = counts(library.text(kernel.name)), counts(separate(kernel))
    assert apart["fma"] == 0
    assert fused["add"] + fused["sub"] + fused["fma"] == apart["add"] + apart["sub"]
    assert fused["mul"] + fused["fma"] == apart["mul"]
    if kernel.formula.name != "kahan_two_pass":  # the only one with a difference of a product
        assert fused["sub"] == apart["sub"]
    assert fused["div"] == apart["div"]
    sums_of_products = {
        "naive",
        "two_pass",
        "corrected_two_pass",
        "welford",
        "chan",
        "chan_reciprocal",
        "chan_weighted",
        "kahan_two_pass",
    }
    sums = ("naive", "two_pass", "corrected_two_pass", "kahan_two_pass")
    sums_of_products.add("fast")
    additive = kernel.kind == "finish" and kernel.formula.name in sums
    assert (fused["fma"] > 0) == (kernel.formula.name in sums_of_products and not additive)


def test_exact_kernels_are_one_text() -> None:
    for kernel in TWINS:
        assert (library.text(kernel.name) == separate(kernel)) or kernel.kind != "exact"


@pytest.mark.parametrize(
    "kernel", [k for k in TWINS if k.lanes == 4 or k.kind == "tile"], ids=lambda kernel: kernel.entry
)
def test_vectors_load_16_bytes(kernel: catalogue.Kernel) -> None:
    """A step's loads, and twice those of the steps that are read together: within a segment, and across its end."""
    assert kernel.storage is not None
    size = kernel.storage.dtype.itemsize
    wanted = {2: "ld.global.v4.u32", 4: "ld.global.v4.f32", 8: "ld.global.v2.f64"}[size]
    step = 2 if size == 8 else 1
    together = step * catalogue.at_once(kernel.kind, kernel.lanes, kernel.storage)
    assert opcodes(library.text(kernel.name)).count(wanted) == step + 2 * together


@pytest.mark.parametrize("name", ["no_such_kernel", "welford_sweep4_float32_float32_contracted"])
def test_unknown_kernel(name: str) -> None:
    with pytest.raises(DeviceError, match=f"no kernel '{name}' for sm_80.*run python -m varkernels.cuda.build"):
        library.text(name)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty folder in the place of ptx/."""

    def forget() -> None:
        for function in (library.manifest, library.entries, library.file_texts, library.text):
            function.cache_clear()  # type: ignore[attr-defined]

    monkeypatch.setattr(library, "FOLDER", tmp_path)
    forget()
    yield tmp_path
    forget()


def test_manifest_missing(elsewhere: Path) -> None:
    with pytest.raises(DeviceError, match=r"manifest .*manifest.json cannot be read .*run python -m varkernels.cuda"):
        library.text("naive_finish_float32_contracted")


def test_manifest_of_another_schema(elsewhere: Path) -> None:
    (elsewhere / "manifest.json").write_text('{"schema": 0}')
    with pytest.raises(DeviceError, match="of schema 0, this package reads 1"):
        library.text("naive_finish_float32_contracted")


def test_file_missing_or_edited(elsewhere: Path) -> None:
    entry = {"name": "k", "file": "k.ptx", "entry": "k", "sha256": "0"}
    (elsewhere / "manifest.json").write_text(json.dumps({"schema": 1, "kernels": [entry]}))
    with pytest.raises(DeviceError, match=r"k.ptx cannot be read"):
        library.text("k")
    (elsewhere / "k.ptx").write_text(".version 7.8\n// kernel k\n.visible .entry k()\n")
    with pytest.raises(DeviceError, match=r"'k' in .*k.ptx is not the text that the manifest names"):
        library.text("k")

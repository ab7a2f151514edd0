"""The offline build: what it refuses, and that it makes the committed PTX again (with numba-cuda only)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from varkernels.cuda import library
from varkernels.cuda.build import compiling
from varkernels.cuda.build.text import body, head
from varkernels.cuda.catalogue import kernels
from varkernels.cuda.contraction import contracted, explicit
from varkernels.formulas import FORMULAS

toolkit = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason='needs numba-cuda: pip install -e ".[cuda-offline]"'
)

PTX = """
// a comment with a/path
.version 9.0
.target sm_80
.address_size 64
.visible .shared .align 4 .b8 _cudapy_smem_4[64];
.common .global .align 8 .u64 _ZN08NumbaEnv8abc;
.visible .entry _ZN3abc(
	.param .u64 _ZN3abc_param_0
)
{
	.reg .f32 	%f<3>;
	ld.param.u64 	%rd1, [_ZN3abc_param_0];
	mov.u64 	%rd2, _cudapy_smem_4;
$L__BB0_12:
	.pragma "nounroll";
	add.f32 	%f1, %f2, %f2; // sum
	@%p1 bra 	$L__BB0_12;
	ret;
}
"""


def test_text_is_stable_and_final() -> None:
    assert body(PTX, "k") == (
        ".visible .entry k(\n.param .u64 p0\n)\n{\n.shared .align 4 .b8 shared0[64];\n.reg .f32 %f<3>;\n"
        "ld.param.u64 %rd1, [p0];\nmov.u64 %rd2, shared0;\nL12:\n"
        '.pragma "nounroll";\nadd.rn.f32 %f1, %f2, %f2;\n@%p1 bra L12;\nret;\n}\n'
    )
    assert head(PTX) == ".version 7.8\n.target sm_80\n.address_size 64\n"
    assert head(PTX, None) == ".version 9.0\n.target sm_80\n.address_size 64\n"


@pytest.mark.parametrize("word", ["div.full.f32", "rcp.approx.ftz.f32", "add.ftz.f32", "call.uni f", ".local .b8 x[4]"])
def test_unwanted_instructions_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="kernel 'k': NVVM used '"):
        body(PTX.replace("add.f32", word), "k")


def test_several_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="NVVM made 2 kernels of it"):
        body(PTX + PTX.replace("_ZN3abc", "_ZN3def"), "k")


def test_files_are_written_whole_and_others_removed(tmp_path: Path) -> None:
    (tmp_path / "old.ptx").write_text("x")
    compiling.write({"a.ptx": b"one\n", "manifest.json": b"{}\n"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ptx", "manifest.json"]
    assert compiling.differences({"a.ptx": b"one\n", "manifest.json": b"{}\n"}, tmp_path) == []
    found = compiling.differences({"a.ptx": b"two\n", "b.ptx": b""}, tmp_path)
    assert found == [
        "a.ptx: 1 lines gone, 1 new, such as 'two'",
        "b.ptx is missing",
        "manifest.json is no longer made",
    ]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ptx").write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        compiling.write({"a.ptx": b"new"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ptx"]
    assert (tmp_path / "a.ptx").read_bytes() == b"old"


def test_which_formulas_are_contracted_here() -> None:
    """Chan's with a weighted average adds two products; Kahan's subtracts one, which ptxas would fuse;
    a tile's chains begin with a sum of two squares."""
    assert {kernel.formula.name for kernel in kernels().values() if explicit(kernel.formula)} == {
        "chan_weighted",
        "kahan_two_pass",
        "fast",
    }
    assert contracted(FORMULAS["two_pass"]).centre is contracted(FORMULAS["two_pass"].centre)  # type: ignore[arg-type]


@toolkit
@pytest.mark.parametrize(
    "name", ["chan_sweep4_float32_float32", "chan_weighted_finish_float64", "welford_thread_float16_float32"]
)
def test_build_makes_the_committed_text(name: str) -> None:
    kernel = kernels()[f"{name}_contracted"]
    top, bodies = compiling.texts(kernel)
    assert set(bodies) == {f"{name}_contracted", f"{name}_separate"}
    for each, text in bodies.items():
        assert library.text(each) == top + text


@toolkit
@pytest.mark.parametrize("target", ["sm_75", "sm_120"])
def test_other_targets(target: str) -> None:
    text = compiling.compiled(kernels()["two_pass_held_bfloat16_float32_contracted"], target)
    assert f".target {target}\n" in text
    assert "f64" not in text


@toolkit
@pytest.mark.long
def test_all_made_again() -> None:
    assert compiling.main(["--check"]) == 0

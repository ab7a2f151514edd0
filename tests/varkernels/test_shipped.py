"""The kernels that come with the package as LLVM IR: of these sources, without licence, the same bits as Numba's, and
Numba's where they cannot be used."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from varkernels import shipped
from varkernels.build.catalogue import Entry, entries, sources_of
from varkernels.build.command import made, main
from varkernels.build.front import PINNED, versions
from varkernels.jit import compiled
from varkernels.schedule_kernels import definition

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {entry.name: entry for entry in entries()}

# Whatever a newcomer asks of an array; none of it may need a compiler. Prints every answer's bytes.
USES = """
import sys, warnings
import llvmlite.binding as llvm
import numpy as np
import varstudy
warnings.simplefilter("ignore")
g = np.random.default_rng(5)
answers = []
for dtype in sys.argv[1].split():
    x = (g.normal(size=(6, 40, 5)) * 50 + 60).astype(dtype)
    mask = g.random(x.shape) < 0.7
    for axis in (None, 0, 1, 2, (0, 2), -1):
        answers += [varstudy.var(x, axis=axis), varstudy.std(x, axis=axis, correction=1), varstudy.mean(x, axis=axis)]
        answers += [*varstudy.mean_var(x, axis=axis, correction=1.5), varstudy.var(x, axis=axis, where=mask)]
    answers += [varstudy.var(x[0, :, 0]), varstudy.var(x.ravel()[::3]), varstudy.var(np.repeat(x, 90, axis=1), axis=1)]
    if x.dtype.kind == "f":
        y = x.copy()
        y[0, 0, 0] = np.nan
        y[1, 1, 1] = np.inf
        answers += [varstudy.var(y, axis=1), varstudy.var(y, axis=1, nan_policy="omit"), varstudy.var(0 * x, axis=2)]
        answers += [varstudy.var(x, axis=1, method="welford"), varstudy.std(x, axis=1, method="chan")]
    held = varstudy.Moments()
    held.update(x)
    held.update(x[0])
    answers += [held.variance(), held.mean]
    for norm in varstudy.feature_moments(x[..., None], groups=5).values():
        answers += [norm.mean, norm.variance(1), norm.std()]
    if x.itemsize == 8:
        answers += [varstudy.var(g.normal(size=70_000) * 1e-3 + 1), varstudy.var([1, 2, 4]), varstudy.var(2.0)]
"""
FEW = """
import sys
import numpy as np, varstudy
g = np.random.default_rng(8)
x = (g.normal(size=(6, 40, 5)) * 50 + 60).astype(sys.argv[1])
answers = [varstudy.var(x, axis=axis) for axis in (0, 2)] + [varstudy.mean(x, axis=2)]
answers += [varstudy.var(x, axis=1, where=x > 40), varstudy.var(np.repeat(x, 9000, axis=1), axis=1)]
answers += [varstudy.var(x, axis=1, method="welford")]
"""
DIGEST = """
import hashlib
print(hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in answers)).hexdigest(), "numba" in sys.modules)
"""


def run(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'kernels'}{os.pathsep}{ROOT}", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# The committed texts -------------------------------------------------------------------------------------------------


def test_the_texts_are_of_the_sources() -> None:
    assert set(shipped.manifest()["kernels"]) == set(ENTRIES), "run python -m varkernels.build"
    for group, found in shipped.manifest()["groups"].items():
        names = sources_of(tuple(root for each in ENTRIES.values() if each.group == group for root in each.roots))
        assert list(names) == found["sources"], f"{group}: run python -m varkernels.build"
        assert shipped.digest_of_sources(names) == found["hash"], f"{group}: run python -m varkernels.build"
        assert shipped.usable(group)
    assert {path.stem for path in shipped.FOLDER.glob("*.xz")} == set(shipped.manifest()["groups"])


@pytest.mark.parametrize("name", ENTRIES)
def test_a_text_gives_llvm_no_licence(name: str) -> None:
    """No flag that lets LLVM reorder, contract or forget; fma only where a formula or a bound asks for it; the
    interpreter's lock is given back; nothing tells the machine that the text was made on."""
    text = shipped.text(name)
    assert not re.findall(r"= (?:tail )?(?:f\w+|call) (?:fast|reassoc|contract|arcp|afn|nnan|ninf|nsz)\b", text)
    if ENTRIES[name].group not in ("certified", "exact", "double_double"):
        # In float16 and bfloat16 an fma is made of float64 operations.
        assert "llvm.fma" not in text
    assert "llvm.fmuladd" not in text
    # A function of C may set errno, and then no loop with it is vectorised.
    of_c = set(re.findall(r"^declare [^\n]*?@(\w[\w.]*)\(", text, re.MULTILINE))
    assert {name for name in of_c if not name.startswith(("llvm.", "Py"))} <= {"malloc", "realloc", "free", "ldexp"}
    assert text.count("@PyEval_SaveThread()") == 2
    assert not re.findall(r"target |attributes #|x86|avx|inttoptr \(i64 \d{5,}|/\w+/\w+/|v\d+[A-Z]\w*\$", text)


@pytest.mark.skipif(versions() != PINNED, reason="the texts are made with other versions of numba and llvmlite")
@pytest.mark.parametrize("name", ["arithmetic", "exact-digits", "running-naive-float32-float16"])
def test_a_text_is_what_the_sources_compile_to(name: str) -> None:
    assert made([ENTRIES[name]], 1) == {name: shipped.text(name)}


# What they answer ----------------------------------------------------------------------------------------------------


EVERY = "float16 float32 float64 int32 uint8"
PLAIN = {"NUMBA_CPU_NAME": "x86-64" if "x86" in platform.machine() else "generic", "NUMBA_CPU_FEATURES": ""}


def test_numba_is_not_loaded(tmp_path: Path) -> None:
    """The same bits in an empty cache, with what is kept there, on a plain processor, and without a cache."""
    (tmp_path / "file").write_text("in the way")
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "VARKERNELS_COMPILE": ""}
    first, loaded = run(USES + DIGEST, EVERY, **here).split()
    assert loaded == "False"
    kept = sorted((tmp_path / "kept").rglob("*.o"))
    assert kept
    assert run(USES + DIGEST, EVERY, **here).split() == [first, "False"]
    assert sorted((tmp_path / "kept").rglob("*.o")) == kept
    few = run(USES + DIGEST, "float32", **here)
    assert run(USES + DIGEST, "float32", **here, **PLAIN) == few
    here["NUMBA_CACHE_DIR"] = str(tmp_path / "file")
    assert run(USES + DIGEST, "float32", **here) == few


@pytest.mark.parametrize(
    "dtype", ["float32", *(pytest.param(d, marks=pytest.mark.long) for d in ("float16", "float64"))]
)
def test_numba_gives_the_same_bits(dtype: str) -> None:
    """What these run; that the others are what Numba makes of their sources, `build --check` shows."""
    ours, theirs = (run(FEW + DIGEST, dtype, VARKERNELS_COMPILE=compile_) for compile_ in ("", "1"))
    assert [ours.split()[1], theirs.split()[1]] == ["False", "True"]
    assert ours.split()[0] == theirs.split()[0]


def arguments_of(entry: Entry, seed: int) -> tuple[Any, ...]:
    """For a schedule: values with large and small ones, zeros and ones that are not finite."""
    _, _, storage, _ = entry.arguments
    g = np.random.default_rng(seed)
    view = (g.normal(size=(3, 4, 77)) * 10.0 ** g.integers(-4, 5, (3, 4, 77)) + 7).astype(storage.dtype)
    view[0, 2, 5], view[1, 3, 0], view[2, 1] = np.inf, np.nan, 0.0
    return view.transpose(0, 1, 2)[:, :, ::-1], g.normal(size=(4, 2)), np.empty((4, 2)), 32


@pytest.mark.parametrize(
    "name",
    [
        "running-kahan_two_pass-float32-bfloat16",
        "running-shifted-float64-float64",
        "lanes-chan-float32-float16",
        "lanes-double_double-float32-float32",
        "tree-youngs_cramer-float32-float32",
        "tree-two_pass-float64-float64",
    ],
)
def test_a_schedule_gives_numbas_bits(name: str) -> None:
    entry = ENTRIES[name]
    ours = shipped.kernel(name, entry.module, *entry.arguments)
    theirs = compiled(definition(*entry.arguments), name)
    assert "built-in" in repr(ours)
    for seed in range(5):
        view, centres, out, width = arguments_of(entry, seed)
        ours(view, centres, out, width)
        answer = out.copy()
        theirs(view, centres, out, width)
        assert np.array_equal(answer, out, equal_nan=True)
        assert np.array_equal(np.signbit(answer), np.signbit(out) & ~np.isnan(out) | np.signbit(answer) & np.isnan(out))


def test_memory_is_given_back() -> None:
    """The lists of a schedule and the arrays of a certified kernel: 20,000 calls of each need no more than 100."""
    code = """
import resource, sys
import llvmlite.binding as llvm
import numpy as np
from varkernels.certified.first import kernel
from varkernels import shipped
tree = shipped._loaded("tree-chan-float32-float32")
single = kernel("single", "float64")
view, centres, out, x = np.ones((1, 1, 90), np.float32), np.zeros((1, 2)), np.empty((1, 2)), np.arange(50.0)
def calls(n):
    for _ in range(n):
        tree(view, centres, out, 1)
        single(x, 50.0, 0.0, 1, 3)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = calls(100)
print(calls(20_000) - before, "numba" in sys.modules)
"""
    grown, loaded = run(code).split()
    assert (int(grown) < 2000, loaded) == (True, "False"), "KiB; a leak of one list would be 40,000"


# What else is passed ------------------------------------------------------------------------------------------------


class Other(np.ndarray):
    """An array of a class of its own."""


X = np.arange(6.0)


@pytest.mark.parametrize(
    "given",
    [
        (),
        (X, 6.0, 0.0, 1),
        (X, 6.0, 0.0, 1, 3, 4),
        (X.tolist(), 6.0, 0.0, 1, 3),
        (None, 6.0, 0.0, 1, 3),
        (X.reshape(2, 3), 6.0, 0.0, 1, 3),
        (np.array(2.0), 6.0, 0.0, 1, 3),
        (X.astype(np.float32), 6.0, 0.0, 1, 3),
        (X.astype(np.int64), 6.0, 0.0, 1, 3),
        (X.astype(bool), 6.0, 0.0, 1, 3),
        (X, "6", 0.0, 1, 3),
        (X, 6.0, None, 1, 3),
        (X, 6.0, 0.0, 1.5, 3),
        (X, 6.0, 0.0, "a", 3),
    ],
    ids=range(14),
)
def test_arguments_of_another_type_are_refused(given: tuple[Any, ...]) -> None:
    entry = ENTRIES["certified-single-float64"]
    kernel = shipped.kernel(entry.name, entry.module, *entry.arguments)
    with pytest.raises(TypeError):
        kernel(*given)
    assert kernel(X, 6.0, 0.0, 1, 3) == X.var()


def test_what_stands_for_a_number_or_an_array_is_taken() -> None:
    entry = ENTRIES["certified-single-float64"]
    kernel = shipped.kernel(entry.name, entry.module, *entry.arguments)
    assert kernel(X.view(Other), np.float32(6), 0, np.int8(1), True + 2) == X.var()
    assert kernel(X, -1.0, 0.0, 1, 3) != kernel(X, -1.0, 0.0, 1, 3), "a divisor of -1 is no error of the call: NaN"
    with pytest.raises(OverflowError):
        kernel(X, 6.0, 0.0, 2**70, 3)


# Where they cannot be used ------------------------------------------------------------------------------------------

M2 = """
import sys
import llvmlite.binding as llvm
import numpy as np
import varkernels
print(varkernels.moments(np.array([[[1.0, 2.0, 6.0]]]), "naive").m2[0], "numba" in sys.modules)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, and a cache that the cases share: what they compile is the same."""
    root = tmp_path_factory.mktemp("tree")
    for package in ("kernels/varkernels", "kernels/varptx"):
        ignored = shutil.ignore_patterns("__pycache__", "*.csv", "*.ptx")
        shutil.copytree(ROOT / package, root / Path(package).name, ignore=ignored)
    return root


def edit_a_source(root: Path) -> None:
    path = root / "schedules.py"
    path.write_text(path.read_text() + "\n# Another line.\n")


def cut_a_file(root: Path) -> None:
    path = root / "ir" / "naive.xz"
    path.write_bytes(path.read_bytes()[:-50])


def swap_two_texts(root: Path) -> None:
    path = root / "ir" / "manifest.json"
    found = json.loads(path.read_text())
    one, other = "running-naive-float64-float64", "running-naive-float32-float32"
    found["kernels"][one], found["kernels"][other] = found["kernels"][other], found["kernels"][one]
    path.write_text(json.dumps(found))


def spoil_the_manifest(root: Path) -> None:
    (root / "ir" / "manifest.json").write_text('{"schema": 1, "kern')


def remove_all(root: Path) -> None:
    shutil.rmtree(root / "ir")


def another_schema(root: Path) -> None:
    path = root / "ir" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))


CASES = [edit_a_source, cut_a_file, swap_two_texts, spoil_the_manifest, remove_all, another_schema]


@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
def test_numba_compiles_what_does_not_fit(change: Callable[[Path], None], tree: Path, tmp_path: Path) -> None:
    there = {"PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(tree / "cache"), "VARKERNELS_COMPILE": ""}
    there["PYTHONDONTWRITEBYTECODE"] = "1"
    assert run(M2, **there) == "14.0 False"
    shutil.copytree(tree / "varkernels", tmp_path / "before")
    try:
        change(tree / "varkernels")
        for path in (tree / "cache").rglob("*.o"):
            path.unlink()
        assert run(M2, **there) == "14.0 True"
    finally:
        shutil.rmtree(tree / "varkernels")
        shutil.move(tmp_path / "before", tree / "varkernels")


def test_damaged_machine_code_is_made_again(tmp_path: Path) -> None:
    here = {"NUMBA_CACHE_DIR": str(tmp_path), "VARKERNELS_COMPILE": ""}
    assert run(M2, **here) == "14.0 False"
    (file,) = tmp_path.rglob("*.o")
    whole = file.read_bytes()
    for damaged in (b"", whole[:200], whole[:-1] + bytes([whole[-1] ^ 1]), b"not a kernel" * 9):
        file.write_bytes(damaged)
        assert run(M2, **here) == "14.0 False"
        assert file.read_bytes() == whole


def test_a_file_that_cannot_be_read_or_replaced_costs_time_only(tmp_path: Path) -> None:
    here = {"NUMBA_CACHE_DIR": str(tmp_path), "VARKERNELS_COMPILE": ""}
    assert run(M2, **here) == "14.0 False"
    (file,) = tmp_path.rglob("*.o")
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    assert run(M2, **here) == "14.0 False"
    assert not list(tmp_path.rglob("*.part"))


# The command --------------------------------------------------------------------------------------------------------


def test_print_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split() == list(ENTRIES)
    assert main(["--print", "arithmetic"]) == 0
    assert capsys.readouterr().out == shipped.text("arithmetic")
    assert main(["--print", "arithmetics"]) == 2
    assert "--list" in capsys.readouterr().err


def test_fewer_than_one_process_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--check", "--processes", "0"])
    assert "0 is less than 1" in capsys.readouterr().err


def test_the_versions_are_those_of_the_environment_for_development() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{name}=={number}"' in project for name, number in PINNED.items())
    assert shipped.manifest()["made with"] == PINNED


def test_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("varkernels.build.command.PINNED", {"numba": "0.1", "llvmlite": "0.2"})
    assert main(["--check"]) == 2
    assert "numba 0.1 and llvmlite 0.2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "fused"),
    [("certified-single-float64", True), ("tree-chan-float32-float32", False), ("exact-float64", False)],
)
def test_a_text_is_for_arm_too(name: str, fused: bool) -> None:
    """LLVM makes machine code for a 64-bit Arm processor of it, and fuses nothing by itself. It is not run."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="generic", opt=2)
    module = llvm.parse_assembly(shipped.text(name))
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    found = re.findall(r"\tfn?m(?:add|sub|la|ls)\b", machine.emit_assembly(module))
    assert bool(found) == (fused or "llvm.fma" in shipped.text(name))

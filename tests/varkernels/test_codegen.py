"""What the compiler makes of the kernels: no fused products, no wider arithmetic than asked for, and the same bits on
every processor, in every process and on every thread."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import float32, float64, njit

from varkernels import FORMATS, FORMULAS, Formula, moments, schedules
from varkernels.folders import cache_folder, source_hash
from varkernels.formats import BFLOAT16, FLOAT32, FLOAT64, Format, format_of
from varkernels.jit import OPTIONS, cached_njit, fresh_njit
from varkernels.schedule_kernels import signature
from varkernels.shipped import text, usable
from varptx.jit import target
from varstudy.survey.environments import installing

ROOT = Path(__file__).resolve().parents[2]
X86 = platform.machine().lower() in ("x86_64", "amd64")

EVERY: dict[str, Formula] = {}
for _formula in FORMULAS.values():
    EVERY[_formula.name] = _formula
    if isinstance(_formula.centre, Formula):
        EVERY[_formula.centre.name] = _formula.centre

# The one formula that asks for an fma, in both of its sweeps.
FUSED = {"double_double", "double_double_mean"}
# Formulas that have a loop of their own: shifted_first differs from shifted by its centre only.
RUNNING = [name for name in EVERY if name != "shifted_first"]


@cache
def compiled(name: str, order: str, fmt: Format) -> tuple[str, str]:
    """LLVM IR and assembly of a kernel, for values and accumulator of one format."""
    kernel = fresh_njit(getattr(schedules, order))
    types = signature(EVERY[name], fmt, fmt)
    kernel.compile(types)
    return kernel.inspect_llvm(types), kernel.inspect_asm(types)


CASES = [
    *((name, "running", FLOAT32) for name in RUNNING),
    *((name, "tree", FLOAT32) for name in RUNNING if EVERY[name].mergeable and "mean" not in name),
    *((name, "lanes", FLOAT32) for name in ("naive", "chan", "youngs_cramer", "double_double")),
    *((name, "running", FLOAT64) for name in ("naive", "welford", "double_double")),
    ("naive", "running", BFLOAT16),
]


# An fma in the IR; in the assembly x86's vfmadd213ss and its like, Arm's fmadd and fmla, or a call of libm's.
FMA_IR = re.compile(r"\bcall\b[^\n]*@(?:llvm\.fma|llvm\.fmuladd|fmaf?\b)")
FMA_ASSEMBLY = re.compile(r"\bv?fn?m(?:add|sub|la|ls)\w*|\bfmaf?\b")
# Arithmetic, with whatever flags stand before its type.
ARITHMETIC = re.compile(r"= (?:tail )?(?:f(?:add|sub|mul|div|neg|cmp)|call) ([^@\n]*)")
# The flags that let LLVM reorder, contract, take reciprocals or forget about NaN and signed zeros.
LICENCE = re.compile(r"\b(?:fast|reassoc|contract|arcp|afn|nnan|ninf|nsz)\b")
KINDS = re.compile(r"= f(?:add|sub|mul|div) (?:\w+ )*(?:<\d+ x )?(float|double|half|bfloat|x86_fp80)\b")


def licences(ir: str) -> list[str]:
    return [flags for flags in ARITHMETIC.findall(ir) if LICENCE.search(flags)]


@pytest.mark.parametrize(("name", "order", "fmt"), CASES, ids=str)
def test_generated_code(name: str, order: str, fmt: Format) -> None:
    ir, assembly = compiled(name, order, fmt)
    in_ir, in_assembly = FMA_IR.findall(ir), FMA_ASSEMBLY.findall(assembly)
    assert bool(in_ir) == bool(in_assembly) == (name in FUSED), (in_ir[:3], in_assembly[:3])
    assert "llvm.fmuladd" not in ir
    assert not licences(ir)
    # There is arithmetic, in the accumulator's format and in no other (bfloat16's is float64's, then rounded).
    assert set(KINDS.findall(ir)) == {"float" if fmt is FLOAT32 else "double"}
    if X86:
        wide, narrow = (re.findall(rf"\bv?(?:add|sub|mul|div)[sp]{kind}\b", assembly) for kind in "ds")
        assert bool(wide) == (fmt is not FLOAT32)
        assert bool(narrow) == (fmt is FLOAT32)
        assert not re.findall(r"\bf(?:ld|add|sub|mul|div|stp)[slt]?\b\s", assembly)  # the x87's 80 bits


def test_the_checks_find_what_they_look_for() -> None:
    """A kernel with fastmath and float64 inside: all of it is seen."""
    dispatcher = njit(_sloppy, fastmath=True)
    types = (float32[::1], float32)
    dispatcher.compile(types)
    ir, assembly = dispatcher.inspect_llvm(types), dispatcher.inspect_asm(types)
    assert licences(ir)
    assert set(KINDS.findall(ir)) == {"float", "double"}
    assert FMA_ASSEMBLY.findall("\tvfmadd213ss\t%xmm0, %xmm1, %xmm2")
    assert FMA_ASSEMBLY.findall("\tvfnmsub231ps (%rax), %ymm1, %ymm2")
    assert FMA_ASSEMBLY.findall("\tfmadd\ts0, s1, s2, s3")
    assert FMA_IR.findall("  %.5 = tail call float @llvm.fma.f32(float %x, float %y, float %z)")
    assert assembly


def _sloppy(x, y):
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * y
    return total * np.float64(total) + 0.1


def test_no_fastmath_anywhere() -> None:
    assert set(OPTIONS) == {"error_model", "nogil"}
    for order in ("running", "lanes", "tree"):
        for made in (fresh_njit(getattr(schedules, order)), cached_njit(getattr(schedules, order), order)):
            options = made.targetoptions
            assert not options.get("fastmath", False)
            assert not options.get("parallel", False)
            assert options["error_model"] == "numpy"
    sources = [path.read_text() for path in (ROOT / "kernels" / "varkernels").rglob("*.py")]
    assert len(sources) > 20
    assert not [text for text in sources if re.search(r"fastmath\s*=|parallel\s*=|prange", text)]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


# The same bits ----------------------------------------------------------------------------------------------

FEW = [
    ("naive", "float32"),
    ("chan/lanes32", "float32"),
    ("kahan_two_pass", "float32"),
    ("double_double", "float32"),
    ("double_double/blocked128", "float64"),
    ("youngs_cramer", "float64"),
    ("welford", "bfloat16"),
    ("double_double", "bfloat16"),
    *(("exact", storage) for storage in FORMATS),
]


def values(fmt: Format, rows: int = 3) -> np.ndarray:
    """Values that round in every operation, subnormals and an overflow among them; from integers alone."""
    k = np.arange(rows * 5000, dtype=np.int64)
    x = ((k * 7919) % 10007 - 5000) / 641.0
    x[::97] *= 2.0**-70
    x[::101] *= 2.0**40
    return fmt.rounded(x).reshape(1, rows, 5000)


# One kernel for each way in which machine code could differ: a plain sum, lanes, an fma, a tree, arithmetic that is
# rounded to bfloat16, and integers.
ACROSS = [
    ("naive", "float32"),
    ("chan/lanes32", "float32"),
    ("double_double", "float32"),
    ("double_double/blocked128", "float64"),
    ("double_double", "bfloat16"),
    ("exact", "float32"),
]


def digests(chosen: Sequence[tuple[str, str]]) -> dict[str, str]:
    answers = {}
    for name, storage in chosen:
        got = moments(values(format_of(storage)), name)
        text = got.mean.tobytes() + got.m2.tobytes()
        answers[f"{name} {storage}"] = hashlib.sha256(text).hexdigest()
    return answers


def fused_here() -> bool:
    """Whether double_double's fma is x86's instruction here, not a call: of the kernel as it comes, or as Numba's."""
    if usable("double_double"):
        module, machine = llvm.parse_assembly(text("running-double_double-float32-float32")), target()
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        assembly = machine.emit_assembly(module)
    else:
        _, assembly = compiled("double_double", "running", FLOAT32)
    return bool(re.search(r"\bvfn?m(?:add|sub)\d", assembly))


def elsewhere(code: str, **environment: str) -> list[str]:
    """What code prints in another process, line by line; it has this module as t."""
    folders = os.pathsep.join(str(ROOT / part) for part in ("tests/varkernels", "kernels", "."))
    return run(f"import test_codegen as t\n{code}", PYTHONPATH=folders, **environment).stdout.splitlines()


@pytest.mark.skipif(not X86, reason="the processors' names are x86's")
@pytest.mark.parametrize(
    ("cpu", "threads", "compile_"),
    [
        ("x86-64", "1", ""),
        ("haswell", "2", ""),
        # CI compares a whole study of such kernels.
        pytest.param("x86-64", "1", "1", marks=pytest.mark.long),
    ],
    ids=str,
)
def test_every_processor_gives_the_same_bits(cpu: str, threads: str, compile_: str, tmp_path: Path) -> None:
    """A processor with neither AVX nor fma instructions, and one with both: each has kernels of its own, made from the
    IR that comes with the package, or by Numba."""
    if cpu == "haswell" and "fma" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine could not run haswell's instructions")
    fused, *answers = elsewhere(
        "answers = t.digests(t.ACROSS); print(t.fused_here(), *answers.items(), sep='\\n')",
        NUMBA_CPU_NAME=cpu,
        NUMBA_CPU_FEATURES="",  # those of the name alone: numba would add this machine's
        NUMBA_NUM_THREADS=threads,
        NUMBA_CACHE_DIR=str(tmp_path),
        VARKERNELS_COMPILE=compile_,
    )
    assert fused == str(cpu == "haswell")
    assert answers == [str(item) for item in digests(ACROSS).items()]
    assert [path.name for path in tmp_path.iterdir()] == [f"varkernels-{source_hash()}"]


def test_every_process_gives_the_same_bits() -> None:
    """A process of one thread, which loads the kernels that this one has compiled."""
    wanted = [str(item) for item in digests(FEW).items()]
    assert elsewhere("print(*t.digests(t.FEW).items(), sep='\\n')", NUMBA_NUM_THREADS="1") == wanted


def test_every_thread_gives_the_same_bits() -> None:
    wanted = digests(FEW)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: digests(FEW), range(32)))
    assert all(answer == wanted for answer in answers)


def test_a_rows_neighbours_do_not_matter() -> None:
    """A row of a large view, run beside others, and alone."""
    x = values(FLOAT32, 40)
    together = moments(x, "chan/lanes32")
    for r in (0, 17, 39):
        alone = moments(x[:, r : r + 1], "chan/lanes32")
        assert alone.mean.tobytes() + alone.m2.tobytes() == together.mean[r].tobytes() + together.m2[r].tobytes()


# The cache --------------------------------------------------------------------------------------------------


SUM = """
import numpy as np
from varkernels import moments
from varkernels.kernel_cache import KernelCache
found, load = [], KernelCache.load_overload
KernelCache.load_overload = lambda *of: found.append(load(*of)) or found[-1]
print(moments(np.array([[[1.0, 2.0, 6.0]]]), "naive").m2[0])
print(sum(each is not None for each in found))
"""

MANY = """
from varkernels.dispatch import compile_ahead
from varkernels import FORMATS
f32, f64 = FORMATS["float32"], FORMATS["float64"]
print(compile_ahead(["naive", "welford", "west"], [f32, f64], [f32]))
"""


def test_each_signature_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert run(MANY, NUMBA_CACHE_DIR=str(tmp_path), VARKERNELS_COMPILE="1").stdout.split() == ["6"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len({path.parent for path in files}) == len(files) == 6
    assert {path.suffix for path in files} == {".nbc"}


DAMAGE = {
    "empty": lambda code: b"",
    "cut": lambda code: code[: len(code) // 2],
    "bit": lambda code: code[:-100] + bytes([code[-100] ^ 1]) + code[-99:],
    "longer": lambda code: code + b"\0",
    "text": lambda code: b"not a kernel" * 10,
}


def twice(x):
    return x + x


def kept() -> tuple[float, int]:
    """The answer of a small kernel, compiled or found in the folder, and how often it was found."""
    kernel = cached_njit(twice, "twice")
    answer = kernel.compile((float64,))(7.0)
    return answer, sum(kernel.stats.cache_hits.values())


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of that kernel, in a folder of its own."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kept() == (14.0, 0)
    (file,) = tmp_path.rglob("*.nbc")
    return file


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_machine_code_is_compiled_again(code: Path, damage: Callable[[bytes], bytes]) -> None:
    code.write_bytes(damage(code.read_bytes()))
    assert [kept(), kept()] == [(14.0, 0), (14.0, 1)]


def test_what_a_killed_process_left_is_removed(code: Path) -> None:
    old, new = code.parent / "old.1-1.tmp", code.parent / "new.1-1.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    code.unlink()
    assert kept() == (14.0, 0)
    assert (code.exists(), old.exists(), new.exists()) == (True, False, True)


THREADS = """
import threading
import numpy as np
from numba import config
import varstudy
before = config.CACHE_DIR
arrays = [np.ones(64, each) for each in ("f4", "f8")] * 4
seen, barrier = set(), threading.Barrier(len(arrays))
def work(x):
    barrier.wait()
    varstudy.var(x)
    seen.add(config.CACHE_DIR)
    varstudy.var(x, method="chan")
    seen.add(config.CACHE_DIR)
threads = [threading.Thread(target=work, args=(x,)) for x in arrays]
for each in threads: each.start()
for each in threads: each.join()
assert seen == {before}, seen
"""


def test_threads_leave_numbas_configuration_alone(tmp_path: Path) -> None:
    """A cache folder that leaks into numba's configuration is used by everybody's kernels."""
    run(THREADS, NUMBA_CACHE_DIR=str(tmp_path))


def test_kernels_are_kept_on_disk(tmp_path: Path) -> None:
    there = {"NUMBA_CACHE_DIR": str(tmp_path), "VARKERNELS_COMPILE": "1"}
    first = run(SUM, **there).stdout.split()
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    second = run(SUM, **there).stdout.split()
    assert first == ["14.0", "0"]
    assert second == ["14.0", "1"]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == files
    assert files


def test_an_edited_formula_is_compiled_anew(tmp_path: Path) -> None:
    """Numba itself looks at the schedule's own file only, and the formula stands in another."""
    package = tmp_path / "varkernels"
    shutil.copytree(ROOT / "kernels" / "varkernels", package, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import numpy as np, varkernels; print(varkernels.moments(np.array([[[1.0, 2.0, 6.0]]]), 'naive').mean[0])"
    there = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(code, **there).stdout.split() == ["3.0"]
    formula = package / "formulas" / "naive.py"
    text = formula.read_text()
    assert text.count("return state.s / k,") == 1
    formula.write_text(text.replace("return state.s / k,", "return -(state.s / k),"))
    assert run(code, **there).stdout.split() == ["-3.0"]
    formula.write_text(text)
    files = len(list((tmp_path / "cache").rglob("*.nbc")))
    assert run(code, **there).stdout.split() == ["3.0"]
    # The text that comes with the package is of these sources, so Numba compiled the edited ones only.
    assert len(list((tmp_path / "cache").rglob("*.nbc"))) == files == 1


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for compile_ in ("", "1"):
        there = {"NUMBA_CACHE_DIR": str(tmp_path / "file"), "VARKERNELS_COMPILE": compile_}
        assert run(SUM, **there).stdout.split() == ["14.0", "0"]


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path / f"varkernels-{source_hash()}"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "varstudy" / f"kernels-{source_hash()}"
    assert installing.root() == tmp_path / "varstudy" / "environments"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in (None, "", "caches"):
        if relative is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache_folder() == tmp_path / ".cache" / "varstudy" / f"kernels-{source_hash()}"
        assert installing.root() == tmp_path / ".cache" / "varstudy" / "environments"


def test_other_packages_keep_numbas_own_cache_folder() -> None:
    code = "from numba import config; before = config.CACHE_DIR; import varkernels; assert config.CACHE_DIR == before"
    run(code)

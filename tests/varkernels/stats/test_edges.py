"""Corrections and values at the ends of their ranges, and processes that fork: each whole kind of a fault that was."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
import warnings
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import varstudy
from varkernels.formats import FLOAT64, FORMATS, Format
from varkernels.rounding import round_to

CORRECTIONS = (0.001, 0.1, Fraction(1, 3), 1.5, -0.1, 5e-324, 1e-300, 10**400, -(10**400), 1e300, -1e300)
METHODS = ("exact", "welford", "two_pass", "naive")


def expected(x: np.ndarray[Any, Any], correction: Any) -> float:
    values = [Fraction(float(v)) for v in x.tolist()]
    divisor = len(values) - Fraction(correction)
    if divisor <= 0:
        return math.nan
    mean = sum(values, Fraction(0)) / len(values)
    return float(round_to(sum(((v - mean) ** 2 for v in values), Fraction(0)) / divisor, FLOAT64))


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda c: f"{Decimal(c):.3g}" if isinstance(c, int) else str(c))
@pytest.mark.parametrize("n", [2, 8, 256, 512, 1000])
def test_any_finite_correction_is_taken(n: int, correction: Any) -> None:
    x = np.random.default_rng(n).standard_normal(n)
    right = expected(x, correction)
    masked = np.ma.masked_array(np.append(x, 7.0), mask=[False] * n + [True])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for method in METHODS:
            found = varstudy.var(x, correction=correction, method=method)
            table = varstudy.var(np.stack([x, x]), axis=1, correction=correction, method=method)
            under = varstudy.var(masked, correction=correction, method=method)
            assert (under is np.ma.masked) == math.isnan(right), method
            for each in (found, *table, *([] if under is np.ma.masked else [under])):
                if method == "exact" or math.isnan(right):
                    assert each == right or (math.isnan(each) and math.isnan(right)), method
                else:
                    assert each == pytest.approx(right, rel=1e-9, abs=1e-300), method
        mean, variance = varstudy.mean_var(x, correction=correction)
        assert variance == right or math.isnan(right)
        assert mean == varstudy.mean(x)


@pytest.mark.parametrize("correction", [0.001, 0.1, Fraction(1, 3)], ids=str)
def test_a_masked_array_s_answers_are_masked_only_where_undefined(correction: Any) -> None:
    """count times the correction's denominator is beyond int64."""
    x = np.ma.masked_array(np.ones((3, 1024)), mask=np.arange(1024) >= np.array([[0], [8], [1024]]))
    found = varstudy.var(x, axis=1, correction=correction)
    assert found.mask.tolist() == [True, False, False]


@pytest.mark.parametrize("method", ["welford", "two_pass", "naive"])
def test_a_named_algorithm_obeys_errstate(method: str) -> None:
    x = np.array([1e200, -1e200, 1e200])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        varstudy.var(x, method=method)
    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not math.isfinite(varstudy.var(x, method=method))


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
@pytest.mark.parametrize("n", [2, 3, 7, 17, 64, 200])
def test_constants_without_degrees_of_freedom_keep_their_mean(n: int, fmt: Format) -> None:
    """Rows in which NaN do not count were compared with what an earlier row had left in memory."""
    earlier = np.arange(3 * n).reshape(3, n).astype(fmt.dtype)
    earlier[:, 0] = math.nan
    for value in (1.0, 60000.0, 0.0):
        x = np.full((3, n), value).astype(fmt.dtype)
        for words in ({"nan_policy": "omit"}, {"where": np.ones((3, n), dtype=bool)}, {}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                varstudy.mean_var(earlier, axis=1, correction=n, nan_policy="omit")
                mean, variance = varstudy.mean_var(x, axis=1, correction=n, **words)
            assert mean.tolist() == x[:, 0].tolist()
            assert np.isnan(variance).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("correction", [-(10**400), 10**400, 5e-324, 2 - Fraction(1, 10**400)], ids=range(4))
def test_moments_take_any_finite_correction(method: str, correction: Any) -> None:
    """The divisor, too, may be beyond float64 or below its smallest number."""
    x = np.array([1.0, 2.0])
    right = expected(x, correction)
    moments = varstudy.Moments(method).update(x)
    assert str(float(moments.variance(correction))) == str(right)
    assert math.isnan(moments.std(correction)) == math.isnan(right)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    script = """
import os, sys
import numpy as np, varstudy
from varkernels.threads import set_threads
set_threads(2)
x = np.random.default_rng(0).standard_normal((8, 1 << 19))
first = varstudy.var(x, axis=1)
child = os.fork()
if child == 0:
    os._exit(0 if (varstudy.var(x, axis=1) == first).all() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_while_a_thread_compiles_can_compile(tmp_path: Path) -> None:
    """The child has no thread that could give the compiler's lock back."""
    script = """
import os, signal, sys, threading, time
import numpy as np, varstudy
x = np.arange(8.0)
varstudy.var(x)  # imports all modules
varstudy.mean(x, method="chan")
started = threading.Event()
def work():
    started.set()
    varstudy.var(x.astype(np.float32))
thread = threading.Thread(target=work)
thread.start()
started.wait()
time.sleep(0.2)
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if varstudy.mean(x, method="naive") == 3.5 else 1)
thread.join()
sys.exit(abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_during_any_call_of_llvm_can_compile() -> None:
    """Numba calls LLVM outside of its compiler's lock too, such as for a kernel's name in its cache."""
    script = """
import os, signal, sys, threading
import llvmlite.binding as llvm
import varstudy
import varptx.jit
text = "".join(f"define i64 @f{i}(i64 %x) {{\\n %y = add i64 %x, {i}\\n ret i64 %y\\n}}\\n" for i in range(3000))
over = threading.Event()
def work():
    while not over.is_set():
        llvm.parse_assembly(text)
thread = threading.Thread(target=work)
thread.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        llvm.parse_assembly(text)
        os._exit(0)
    codes.append(os.waitpid(child, 0)[1])
    if codes[-1]:
        break
over.set()
thread.join()
sys.exit(any(codes))
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


BITS = """
import numpy as np, varstudy
x = np.random.default_rng(1).standard_normal((40, 50)) + 3.0
print(varstudy.var(x, axis=1).tobytes().hex())
print(varstudy.std(x.astype(np.float32), axis=0).tobytes().hex())
"""


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="the processor's name is x86's")
def test_a_processor_without_fma_and_wide_vectors_gives_the_same_bits(tmp_path: Path) -> None:
    answers = []
    for added in ({}, {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}):
        command = [sys.executable, "-c", BITS]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **added}, check=True)
        answers.append(done.stdout)
    assert answers[0] == answers[1]
    assert len(answers[0].split()) == 2

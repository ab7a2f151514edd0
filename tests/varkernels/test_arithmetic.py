"""Answers do not depend on how the calling thread's arithmetic rounds, or on whether it flushes subnormal numbers."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import llvmlite.binding
import numpy as np
import pytest
from numpy.typing import NDArray

import varstudy
from varkernels.arithmetic import default_arithmetic
from varkernels.threads import WORTHWHILE, set_threads

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux",
    reason="the tests set the register of x86-64, by way of Linux",
)

DEFAULT = 0x1F80
MODES = {
    "subnormal results are 0": DEFAULT | 0x8000,
    "subnormal operands are 0": DEFAULT | 0x0040,
    "both": DEFAULT | 0x8040,
    "downward": DEFAULT | 0x2000,
    "upward": DEFAULT | 0x4000,
    "towards 0": DEFAULT | 0x6000,
}
SET = """
declare void @llvm.x86.sse.ldmxcsr(ptr)
define void @set(i32 %value) {
  %place = alloca i32
  store i32 %value, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}
"""


@cache
def _engine() -> Any:
    llvmlite.binding.initialize_native_target()
    llvmlite.binding.initialize_native_asmprinter()
    machine = llvmlite.binding.Target.from_default_triple().create_target_machine()
    engine = llvmlite.binding.create_mcjit_compiler(llvmlite.binding.parse_assembly(SET), machine)
    engine.finalize_object()
    return engine


def set_register(value: int) -> None:
    ctypes.CFUNCTYPE(None, ctypes.c_uint32)(_engine().get_function_address("set"))(value)


@pytest.fixture(params=MODES.values(), ids=MODES)
def within(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """A function called under another arithmetic."""

    def call(function: Callable[[], Any]) -> Any:
        set_register(request.param)
        try:
            return function()
        finally:
            set_register(DEFAULT)

    yield call
    set_register(DEFAULT)


def bits(answers: list[Any]) -> list[bytes]:
    return [np.asarray(answer).tobytes() for answer in answers]


def arrays() -> list[NDArray[Any]]:
    rng = np.random.default_rng(4)
    z = rng.standard_normal((30, 7))
    small = [(z * 1e-42).astype(np.float32), z * 1e-312, (z * 1e-20).astype(np.float32), z * 1e-155]
    return [z, z.astype(np.float32), z.astype(np.float16), rng.integers(0, 9, z.shape).astype(np.float32), *small]


def answers(arrays: list[NDArray[Any]], masks: list[NDArray[np.bool_]]) -> list[Any]:
    found = []
    for x, mask in zip(arrays, masks, strict=True):
        for function in (varstudy.mean, varstudy.var, varstudy.std):
            found += [function(x), function(x, axis=0), function(x, axis=1), function(x[:, ::2], axis=1)]
            found += [function(x, axis=1, where=mask), function(x, dtype=np.float64)]
        moments = varstudy.Moments().update(x)
        found += [moments.mean, moments.variance(1), moments.std()]
        features = varstudy.feature_moments(x, ("batch", "layer"), layout="NC")
        found += [features["batch"].mean, features["layer"].variance(), features["batch"].std(1)]
    return found


def test_every_answer_has_the_same_bits(within: Callable[[Callable[[], Any]], Any]) -> None:
    given = arrays()
    masks = [x > x.mean(dtype=np.float64) for x in given]
    for mask in masks:
        mask[:, 0] = True
    expected = answers(given, masks)
    got = within(lambda: answers(given, masks))
    assert bits(got) == bits(expected)
    assert len(expected) > 150


def test_several_threads_too(within: Callable[[Callable[[], Any]], Any]) -> None:
    x = np.random.default_rng(5).standard_normal((4, WORTHWHILE // 4 + 3)).astype(np.float32)
    expected = varstudy.var(x, axis=1)
    set_threads(2)
    try:
        got = within(lambda: varstudy.var(x, axis=1))
        again = varstudy.var(x, axis=1)
    finally:
        set_threads(None)
    assert bits([got, again]) == bits([expected, expected])


def test_the_thread_s_own_arithmetic_is_restored() -> None:
    set_register(MODES["upward"])
    try:
        before = 1.0 + np.float64(2.0**-60)
        varstudy.var(np.arange(5.0))
        with default_arithmetic():
            inside = 1.0 + np.float64(2.0**-60)
        after = 1.0 + np.float64(2.0**-60)
    finally:
        set_register(DEFAULT)
    assert before == after > inside == 1.0

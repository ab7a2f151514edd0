"""LLVM IR to machine code in this process, with an optional cache of object code on disk."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from .prelude import SCHEDULER

# Raised whenever the lowering changes what it emits, so that no stale object code is used.
LOWERING = 2

# A temporary file of this age, in seconds, has no process that still writes it.
OLD = 3600

_lock = threading.Lock()


def target() -> Any:
    """A target machine for the host; an engine takes the one that it is given for its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True, reloc="default", codemodel="jitdefault"
    )


@cache
def host() -> str:
    """What object code depends on besides the IR."""
    llvm.initialize_native_target()
    return "|".join(
        [
            str(LOWERING),
            llvmlite.__version__,
            llvm.get_default_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
        ]
    )


def assemble(text: str) -> bytes:
    """Object code of LLVM IR, optimised without anything that could change a floating-point result."""
    machine = target()
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    tuning.loop_unrolling = False
    tuning.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def cached(text: str, folder: Path | None) -> bytes:
    """Object code, from the folder if it has it."""
    if folder is None:
        return assemble(text)
    key = hashlib.sha256(f"{host()}\n{text}".encode()).hexdigest()
    path = folder / f"{key}.o"
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        stored = b""
    # A checksum stands before the object code, as running a damaged file could do anything.
    if len(stored) > 32 and hashlib.sha256(stored[32:]).digest() == stored[:32]:
        return stored[32:]
    code = assemble(text)
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    for left in folder.glob("*.part"):  # of a process that was killed; another one may remove it first
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > OLD:
                left.unlink()
    return code


class Code:
    """A function ``i32 (ptr ..)`` in this process; its machine code lives as long as this object."""

    def __init__(self, text: str, name: str, folder: Path | None) -> None:
        with _lock:
            code = cached(text, folder)
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
        self.address = int(self._engine.get_function_address(name))


@cache
def _scheduler(folder: Path | None) -> tuple[Code, Callable[[int], int]]:
    code = Code(SCHEDULER, "run", folder)
    # A plain C function pointer through ctypes runs without the interpreter's lock.
    return code, ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(code.address)


def scheduler(folder: Path | None) -> Callable[[int], int]:
    """The scheduler as a function of the address of a run's state, compiled once in a process."""
    return _scheduler(folder)[1]

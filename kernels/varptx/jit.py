"""LLVM IR to machine code in this process, with an optional cache of object code on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

# Raised whenever the lowering, or what LLVM does with it, changes, so that no stale object code is used.
LOWERING = 4


class Passes(Enum):
    """What LLVM does with the IR before it makes machine code; none of it changes a floating-point result.

    NONE is for IR that is optimised already. ORDINARY is for that of PTX, which a compiler has optimised: it turns
    registers into values and shortens the paths, in a sixth of the time of LLVM's level 2, and the code is as fast.
    LOOPS unrolls and vectorises, for this processor.
    """

    NONE = "none"
    ORDINARY = "ordinary"
    LOOPS = "loops"


# A temporary file of this age, in seconds, has no process that still writes it.
OLD = 3600

_lock = threading.Lock()


def _hold() -> None:
    _lock.acquire()
    _llvm.__enter__()


def _let_go() -> None:
    _llvm.__exit__(None, None, None)
    _lock.release()


# llvmlite's own lock, which every call of it takes, also those of Numba outside of its compiler's lock.
_llvm: Any = getattr(llvm.ffi.lib, "_lock", contextlib.nullcontext())
# A child forked while another thread compiles has nobody who gives a lock back: a fork waits for both.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


def processor() -> tuple[str, str]:
    """The name and the features of the processor to compile for: this one, or as Numba's environment variables say."""
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    return (
        llvm.get_host_cpu_name() if name is None else name,
        llvm.get_host_cpu_features().flatten() if features is None else features,
    )


def target() -> Any:
    """A target machine for the host; an engine takes the one that it is given for its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    host = llvm.Target.from_default_triple()
    # As Numba has it: addresses of 64 bits, which code on x86 has in itself.
    reloc = "static" if host.name.startswith("x86") else "default"
    return host.create_target_machine(cpu=name, features=features, opt=2, jit=True, reloc=reloc, codemodel="jitdefault")


@cache
def host(passes: Passes) -> str:
    """What object code depends on besides the IR."""
    llvm.initialize_native_target()
    parts = (LOWERING, llvmlite.__version__, llvm.get_default_triple(), *processor(), passes.value)
    return "|".join(str(part) for part in parts)


def assemble(text: str, passes: Passes = Passes.ORDINARY) -> bytes:
    """Object code of LLVM IR."""
    machine = target()
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    if passes is Passes.ORDINARY:
        manager = llvm.create_new_module_pass_manager()
        manager.add_always_inliner_pass()
        manager.add_sroa_pass()
        manager.add_simplify_cfg_pass()
        manager.add_instruction_combine_pass()
        manager.add_simplify_cfg_pass()
        manager.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2)))
    elif passes is Passes.LOOPS:
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        tuning.slp_vectorization = False
        tuning.loop_vectorization = tuning.loop_unrolling = tuning.loop_interleaving = True
        builder = llvm.create_pass_builder(machine, tuning)
        builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def cached(digest: str, text: Callable[[], str], folder: Path | None, passes: Passes) -> bytes:
    """Object code, from the folder if it has it; digest: the SHA-256 of the text. A file that cannot be read or written
    costs time only."""
    if folder is None:
        return assemble(text(), passes)
    key = hashlib.sha256(f"{host(passes)}\n{digest}".encode()).hexdigest()
    path = folder / f"{key}.o"
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    # A checksum stands before the object code, as running a damaged file could do anything.
    if len(stored) > 32 and hashlib.sha256(stored[32:]).digest() == stored[:32]:
        return stored[32:]
    code = assemble(text(), passes)
    with contextlib.suppress(OSError):
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
    """A function in this process; its machine code lives as long as this object.

    text : LLVM IR; or a function that gives it, which is called where there is no object code yet, and then `digest`
        is the SHA-256 of the text.
    name : of the function in it.
    folder : where object code is kept; None for nowhere.
    """

    def __init__(
        self,
        text: str | Callable[[], str],
        name: str,
        folder: Path | None,
        *,
        digest: str = "",
        passes: Passes = Passes.ORDINARY,
    ) -> None:
        if isinstance(text, str):
            plain, digest = text, hashlib.sha256(text.encode()).hexdigest()
            text = lambda: plain  # noqa: E731
        with _lock:
            code = cached(digest, text, folder, passes)
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
        self.address = int(self._engine.get_function_address(name))

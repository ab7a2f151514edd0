"""From a kernel's definition to its LLVM IR, by Numba's front end, for no processor in particular.

Only in a process that was started for this (see `command`): Numba's back end is told not to unroll or vectorise, and is
stopped before it makes machine code, which would already fit the IR to this processor. These are parts that Numba does
not document, so `PINNED` names the versions.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from typing import Any

import llvmlite.binding as llvm
from numba.core import codegen, compiler, compiler_lock, cpu, registry

from ..jit import OPTIONS
from ..shipped import VARIABLE
from .entry_point import entry
from .text import module_of, optimised, plain

__all__ = ["PINNED", "SETTINGS", "text_of", "versions"]

PINNED = {"numba": "0.68.1", "llvmlite": "0.50.0"}
# Of the environment of the processes that compile; Numba reads them when it is imported.
SETTINGS = {
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NUMBA_LOOP_VECTORIZE": "0",
    "NUMBA_SLP_VECTORIZE": "0",
    VARIABLE: "1",
}


def versions() -> dict[str, str]:
    """The installed versions of what `PINNED` pins."""
    return {name: version(name) for name in PINNED}


def _simplified(library: Any) -> None:
    passes, builder = library._codegen._module_pass_manager(
        loop_vectorize=False, slp_vectorize=False, opt=0, cost="cheap"
    )
    passes.run(library._final_module, builder)


def _finished(library: Any) -> None:
    library._finalize_dynamic_globals()
    library._verify_declare_only_symbols()
    library._finalized = True


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _compiled(definition: Any) -> tuple[Any, str, str]:
    """The type of the answer, the name of the function, and the module as text."""
    for owner, name, function in (
        (codegen.CPUCodeLibrary, "_optimize_final_module", _simplified),
        (codegen.CPUCodeLibrary, "_finalize_final_module", _finished),
        # Numba keeps a helper under its function of C; so each has another one, which nobody calls.
        (cpu.CPUContext, "get_executable", lambda *_: [].append),
        # Nobody calls a helper from Python or from C.
        (cpu.CPUContext, "create_cpython_wrapper", _nothing),
        (cpu.CPUContext, "create_cfunc_wrapper", _nothing),
    ):
        setattr(owner, name, function)
    target = registry.cpu_target
    flags: Any = compiler.Flags()
    target.options.parse_as_flags(
        flags, OPTIONS | {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    )
    with compiler_lock.global_compiler_lock:
        made = compiler.compile_extra(
            target.typing_context, target.target_context, definition.function, definition.signature, None, flags, {}
        )
        made.library.finalize()
    if made.library.has_dynamic_globals:
        raise ValueError(f"{definition.function.__name__} has an address of this process in it")
    return made.signature.return_type, made.fndesc.llvm_func_name, str(made.library._final_module)


def text_of(name: str, module: str, arguments: tuple[Any, ...]) -> str:
    """A kernel's text; the arguments are those of `shipped.kernel`.

    Raises
    ------
    RuntimeError
        The process was started without `SETTINGS`.
    """
    if any(os.environ.get(setting) != value for setting, value in SETTINGS.items()):
        raise RuntimeError(f"kernel {name}: this process was not started with the settings of the build")
    definition = import_module(f"...{module}", __name__).definition(*arguments)
    answer, function, text = _compiled(definition)
    kinds = [str(argument.type) for argument in llvm.parse_assembly(text).get_function(function).arguments]
    extra = entry(definition.signature, answer, kinds, definition.bound, f"kernel {name}: an argument of another type")
    made = module_of(text, function, extra)
    optimised(made, llvm.Target.from_default_triple().create_target_machine(cpu="generic", opt=2))
    return plain(str(made))

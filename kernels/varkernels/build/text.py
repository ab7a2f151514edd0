"""A kernel's LLVM IR in the one form that it is kept in: nothing in it tells where, when or after what it was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

__all__ = ["module_of", "optimised", "plain"]

# How data lie in memory, as far as x86-64 and 64-bit Arm agree: little-endian, an int64 at a multiple of 8 bytes. LLVM
# computes the places of what is in a structure from this, and leaves nothing but the numbers of bytes in the text.
_LAYOUT = "e-m:e-i64:64-i128:128-n8:16:32:64-S128"
_RUNTIME = Path(__file__).parent / "runtime.ll"
# What Numba's runtime has, of what `runtime.ll` has.
_REPLACED = re.compile(r"^define [^\n]*@NRT_(?:incref|decref)\(.*?^}\n", re.MULTILINE | re.DOTALL)
# C's square root may set errno, so that LLVM would neither vectorise nor move a call; LLVM's own has the same bits.
_ROOT = re.compile(r"^declare [^\n]*@sqrt\([^\n]*\n", re.MULTILINE)
_ROOT_OF_LLVM = "llvm.sqrt.f64"
# Lines that name a file, a machine, or where blocks are reached from.
_MACHINE = re.compile(r"^(?:source_filename|target triple|target datalayout|; ModuleID).*\n", re.MULTILINE)
# Hints about the stack, which later versions write without a size.
_LIFETIME = re.compile(r"^[^\n]*@llvm\.lifetime\.(?:start|end)[^\n]*\n", re.MULTILINE)
_REMARK = re.compile(r" *; (?:preds =|Function Attrs:|Materializable|uselistorder).*")
_ATTRIBUTES = re.compile(r"^attributes #\d+ = .*\n", re.MULTILINE)
_GROUP = re.compile(r" #\d+\b")
# A load under a mask has its alignment as an argument until LLVM 21, and later versions read that, too.
_MASKED_CALL = re.compile(r"(@llvm\.masked\.load\.\w+\.p0\(ptr) align (\d+) ([^,]+),")
_MASKED_DECLARATION = re.compile(r"^(declare [^\n]*@llvm\.masked\.load\.\w+\.p0\(ptr), <", re.MULTILINE)
# What LLVM finds out by itself about an argument or an answer, written differently by different versions.
_FOUND = re.compile(
    r" (?:nocapture|captures\([^)]*\)|readonly|readnone|writeonly|nofree|noundef|nonnull|returned|writable"
    r"|dead_on_unwind|allocptr|allocalign|dereferenceable(?:_or_null)?\(\d+\)|initializes\(\([^)]*\)(?:, \([^)]*\))*\)"
    r"|range\([^)]*\)|nofpclass\([^)]*\))"
)
# Numba's names of functions, which count what was compiled before: parts with their lengths in front.
_MANGLED = re.compile(r"_ZN[A-Za-z0-9_$]+")
_PART = re.compile(r"(\d+)([A-Za-z_]\w*)")
_NAME = re.compile(r'@(?:"[^"]*"|[\w.$-]+)')
# Names that others know: of Python, of the C library, of LLVM, of the entry.
_KNOWN = re.compile(r"@(?:llvm\.|Py|_Py|kernel$|(?:malloc|realloc|free|ldexp)$)")
_DECLARED = re.compile(r"^(?:declare [^\n]*?(@[^ (]+)\(|(@\S+) = external)", re.MULTILINE)


def module_of(text: str, entry: str, extra: str) -> Any:
    """A kernel's module with Numba's function `entry` as ``@body``, its Python entry, and the runtime that it asks for.

    Nothing but the Python entry can be called from outside.
    """
    text = _MACHINE.sub("", _REPLACED.sub("", text))
    text = re.sub(rf'@"?{re.escape(entry)}"?(?=[( ])', "@body", text)
    if _ROOT.search(text):
        text = _ROOT.sub("", text).replace("@sqrt(", f"@{_ROOT_OF_LLVM}(")
        if f"declare double @{_ROOT_OF_LLVM}(" not in text:
            text += f"declare double @{_ROOT_OF_LLVM}(double)\n"
    own = llvm.parse_assembly(_RUNTIME.read_text("utf-8"))
    names = {function.name for function in own.functions if not function.is_declaration}
    asked = set(re.findall(r"@(\w+)\(", text)) & names
    text = re.sub(rf"^declare [^\n]*@(?:{'|'.join(sorted(names))})\([^\n]*\n", "", text, flags=re.MULTILINE)
    for function in own.functions:
        if function.name in asked:
            text += f"declare {str(function.global_value_type).partition('(')[0]}@{function.name}("
            text += ", ".join(str(argument.type) for argument in function.arguments) + ")\n"
    module = llvm.parse_assembly(text + extra)
    module.data_layout = own.data_layout = _LAYOUT
    module.link_in(own)
    for function in module.functions:
        if not function.is_declaration:
            function.linkage = "external" if function.name == "kernel" else "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    return module


def optimised(module: Any, machine: Any) -> None:
    """Inline and simplify, for no processor in particular: loops stay as they are, for the processor that runs them."""
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = tuning.slp_vectorization = False
    tuning.loop_unrolling = tuning.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)


def _readable(mangled: str) -> str:
    """The last two names of the Python function that Numba has given a name, such as ``naive.read``."""
    rest, parts = mangled[len("_ZN") :], []
    while found := _PART.match(rest):
        size, end = int(found[1]), found.start(2) + int(found[1])
        parts.append(rest[found.start(2) : end])
        if len(parts[-1]) < size:
            break
        rest = rest[end:]
    return ".".join([part for part in parts if "_3c" not in part and part.isidentifier()][-2:]) or "function"


def plain(text: str) -> str:
    """The text without what depends on the machine, the version or the order of work; names are numbers.

    Raises
    ------
    ValueError
        LLVM does not read what is left, or there is a name in it that nobody defines.
    """
    unknown = [name for name in map("".join, _DECLARED.findall(text)) if not _KNOWN.match(name.replace('"', ""))]
    if unknown:
        raise ValueError(f"nothing that comes with this package defines {', '.join(unknown)}")
    for pattern in (_MACHINE, _LIFETIME, _REMARK, _ATTRIBUTES, _GROUP, _FOUND):
        text = pattern.sub("", text)
    text = _MASKED_DECLARATION.sub(r"\1, i32, <", _MASKED_CALL.sub(r"\1 \3, i32 \2,", text))
    names: dict[str, str] = {}
    functions: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return functions.setdefault(found[0], f"{_readable(found[0])}.{len(functions)}")

    def renamed(found: re.Match[str]) -> str:
        name = found[0]
        return name if _KNOWN.match(name) else names.setdefault(name, f"@n{len(names)}")

    text = _MANGLED.sub(named, _NAME.sub(renamed, text))
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
    try:
        llvm.parse_assembly(text).verify()
    except RuntimeError as problem:
        raise ValueError(f"LLVM {'.'.join(map(str, version()))} does not read the kept form: {problem}") from problem
    return text


def version() -> Sequence[int]:
    """LLVM's version."""
    found: Sequence[int] = llvm.llvm_version_info
    return found

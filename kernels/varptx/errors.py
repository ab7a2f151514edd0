"""Everything this package raises about a PTX text or a run of it."""

from __future__ import annotations

Triple = tuple[int, int, int]


class UnsupportedPTX(ValueError):
    """The text is not PTX of a kind that this package executes: its version, its target, a declaration."""


class UnknownInstruction(UnsupportedPTX):
    """An instruction, or a form of one, that this package does not execute exactly, refused when the text is loaded."""


class ExecutionError(RuntimeError):
    """A thread did something that PTX leaves undefined or that a GPU would stop for; nothing ran after it.

    Attributes
    ----------
    kernel : str
        The entry point.
    line : int
        The line of the PTX text, counted from 1.
    instruction : str
        The instruction as written.
    block, thread : tuple of three ints
        ``%ctaid`` and ``%tid`` of the thread.
    """

    def __init__(self, what: str, kernel: str, line: int, instruction: str, block: Triple, thread: Triple) -> None:
        self.what = what
        self.kernel, self.line, self.instruction = kernel, line, instruction
        self.block, self.thread = block, thread
        super().__init__(f"{kernel}, line {line}: '{instruction}', block {block}, thread {thread}: {what}")


class OutOfBounds(ExecutionError):
    """An access outside every buffer, or a write to a buffer that may only be read."""


class Misaligned(ExecutionError):
    """An address that is no multiple of the size of the access (PTX ISA 9.0, section "Addresses as Operands")."""


class Uninitialised(ExecutionError):
    """A read of bytes that nothing has written."""


class Deadlock(ExecutionError):
    """A barrier or a warp-wide instruction that can never complete."""


class Undefined(ExecutionError):
    """A result that the PTX ISA leaves undefined: a division by zero, a shuffle from a thread that takes no part."""


class Trapped(ExecutionError):
    """The kernel executed ``trap``."""


class LimitReached(ExecutionError):
    """The kernel took more backward branches than the launch allowed: most likely an endless loop."""

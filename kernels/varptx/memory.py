"""The device's memory: numpy arrays placed at virtual addresses, with gaps between them that nothing may touch."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .prelude import FIRST_ID, ID_SHIFT, ROW, ROW_WORDS

GAP = 256


class Buffer:
    """A numpy array in device memory; writes of kernels land in the array itself.

    Attributes
    ----------
    address : int
        Where it starts: a multiple of 256, plus the ``offset`` asked for.
    array : numpy.ndarray
        The array itself, not a copy.
    readonly : bool
        Whether a write of a kernel to it is an error.
    nbytes : int
        Its size.
    """

    def __init__(self, array: NDArray[Any], address: int, readonly: bool, shadow: NDArray[np.uint8] | None) -> None:
        self.array, self.address, self.readonly = array, address, readonly
        self.nbytes = int(array.nbytes)
        self._shadow = shadow

    @property
    def written(self) -> NDArray[np.bool_]:
        """For each byte, bool (nbytes,), whether it holds a value: all unless the buffer was placed uninitialised."""
        if self._shadow is None:
            return np.ones(self.nbytes, np.bool_)
        return self._shadow[: self.nbytes].astype(np.bool_)

    def __repr__(self) -> str:
        kind = "readonly " if self.readonly else ""
        return f"<{kind}Buffer of {self.nbytes} bytes at {self.address:#x}>"


class Memory:
    """Buffers and the table by which compiled code finds them: buffer number << 40, plus an offset in bytes."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.lock = threading.Lock()
        self.table = np.zeros((FIRST_ID + 8, ROW_WORDS), np.uint64)

    def place(
        self, array: NDArray[Any], *, readonly: bool = False, offset: int = 0, initialised: bool = True
    ) -> Buffer:
        """Give an array an address range of its own.

        Parameters
        ----------
        array : numpy.ndarray
            C-contiguous; it is not copied.
        readonly : bool
            Whether a write to it is an error.
        offset : int
            Bytes after a multiple of 256 at which it starts, to misalign it.
        initialised : bool
            False: its bytes may not be read before a kernel has written them.

        Raises
        ------
        TypeError
            If it is no numpy array.
        ValueError
            If it is not contiguous, cannot be written although it is not ``readonly``, or the offset is negative.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"place takes a numpy array, not {type(array).__name__}")
        if not array.flags.c_contiguous:
            raise ValueError("place takes a C-contiguous array: a kernel sees consecutive bytes")
        if array.dtype.hasobject:
            raise ValueError("place takes arrays of numbers, not of objects")
        if not readonly and not array.flags.writeable:
            raise ValueError("the array cannot be written: pass readonly=True")
        if offset < 0 or offset + GAP + array.nbytes >= 1 << (ID_SHIFT - 1):
            raise ValueError(f"an offset of {offset} bytes is not supported")
        with self.lock:
            number = FIRST_ID + len(self.buffers)
            if number >= len(self.table):
                grown = np.zeros((2 * len(self.table), ROW_WORDS), np.uint64)
                grown[: len(self.table)] = self.table
                self.table = grown
            low = GAP + offset
            shadow = None if initialised else np.zeros(array.nbytes + 1, np.uint8)
            buffer = Buffer(array, (number << ID_SHIFT) + low, readonly, shadow)
            self.set_row(number, array.ctypes.data, array.nbytes, shadow, low, readonly)
            self.buffers.append(buffer)
        return buffer

    def set_row(
        self, number: int, base: int, size: int, shadow: NDArray[np.uint8] | None, low: int = 0, readonly: bool = False
    ) -> None:
        """Describe a buffer to compiled code; limits are one more than the size, so that 0 forbids everything.

        `place` and a launch call it.

        Parameters
        ----------
        number : int
            The row of the table, a buffer's address shifted right by 40.
        base : int
            The address of its first byte in this process.
        size : int
            Its bytes.
        shadow : uint8 array or None
            For each byte, whether it was written; None where all bytes may be read.
        low : int
            Its offset within its address range.
        readonly : bool
            Whether a write to it is an error.
        """
        word = (1 << 64) - 1
        row = self.table[number]
        row[ROW["base"]] = (base - low) & word
        row[ROW["low"]] = low
        row[ROW["read1"]] = size + 1
        row[ROW["write1"]] = 0 if readonly else size + 1
        row[ROW["shadow"]] = (shadow.ctypes.data - low) & word if shadow is not None else 0

    def find(self, address: int) -> Buffer | None:
        """The buffer in whose address range a device address lies, gaps included; None where it lies in none."""
        number = (address >> ID_SHIFT) - FIRST_ID
        return self.buffers[number] if 0 <= number < len(self.buffers) else None

    def nearest(self, address: int) -> str:
        """Where a device address is, in words: how far from which buffer."""
        if not self.buffers:
            return "no buffer is placed"
        at = min(self.buffers, key=lambda b: max(b.address - address, address - (b.address + b.nbytes), 0))
        number = self.buffers.index(at)
        if address < at.address:
            where = f"{at.address - address} bytes before"
        elif address >= at.address + at.nbytes:
            where = f"{address - at.address - at.nbytes} bytes past the end of"
        else:
            where = f"{address - at.address} bytes into"
        return f"{where} buffer {number}, of {at.nbytes} bytes at {at.address:#x}"

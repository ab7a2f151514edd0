"""Find the array that a path names, in whichever container it is."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from .array_header import (
    MEMORY_MAP_FROM,
    NPY_MAGIC,
    Array,
    ArrayHeader,
    check_size,
    map_array,
    npy_header,
    read_array,
)
from .conversion import Loaded, converted
from .problem import FileProblem, printable
from .safetensors_file import SAFETENSORS_START, is_safetensors, safetensors_entries, safetensors_header
from .zip_archive import ZIP_MAGIC, npz_archive, npz_array, npz_members

__all__ = ["MAX_UNPACKED", "load", "load_all", "names"]

MAX_UNPACKED = 256 * 2**20
"""Bytes that a compressed array may unpack to unless the caller raises it."""
# What torch.save wrote before version 1.6: a pickle of this number comes first.
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"


def names(path: str | Path) -> tuple[str, ...]:
    """The names of the arrays in an .npz or .safetensors file, in order; none for a .npy file.

    Raises
    ------
    FileProblem
        The file is missing, empty, or none of the three formats.
    """
    file = Path(path)
    kind = _kind(file)
    if kind == "npy":
        return ()
    if kind == "npz":
        with npz_archive(file) as archive:
            return tuple(npz_members(archive))
    with _opened(file) as stream:
        return tuple(safetensors_entries(stream, file.stat().st_size, printable(file))[0])


def load(
    path: str | Path,
    *,
    storage: str | None = None,
    max_unpacked: int = MAX_UNPACKED,
    memory_map_from: int = MEMORY_MAP_FROM,
) -> Loaded:
    """One array of a .npy file; or of an .npz or .safetensors file, as ``file.npz`` or, where it holds several,
    ``file.npz:name``.

    float16, bfloat16, float32 and float64 are taken as they are, of either byte order, with their NaN and
    infinities. Integers and booleans are converted exactly: to float32 where no magnitude exceeds 2^24, else
    to float64 where none exceeds 2^53. Wider integers are rounded to float64, and `Loaded.how` says so.

    Parameters
    ----------
    path : the file; nothing of it is ever unpickled or evaluated. A name may contain colons.
    storage : ``bfloat16`` to read two-byte values as bfloat16, which numpy stores as raw bytes ('V2').
    max_unpacked : bytes that a compressed array may unpack to.
    memory_map_from : bytes from which on the data of a .npy or .safetensors file is mapped into memory, not read.

    Raises
    ------
    FileProblem
        The file is missing, a directory, empty, truncated, pickled or of another format; or its array has no
        values, or values that no storage format holds.
    """
    file, member = _split(path)
    kind = _kind(file)
    shown = printable(file)
    if kind == "npz":
        with npz_archive(file) as archive:
            members = npz_members(archive)
            member = _choose(members, shown, member, "save it again with numpy.savez")
            what = f"{shown}:{printable(member)}"
            return converted(npz_array(archive, members[member], what, max_unpacked), storage, what)
    if kind == "npy" and member is not None:
        raise FileProblem(f"{shown} holds a single array: leave out ':{printable(member)}'")
    with _opened(file) as stream:
        size = file.stat().st_size
        if kind == "npy":
            what = shown
            header = npy_header(stream, what)
            check_size(header, size - header.offset, what)
        else:
            entries, start = safetensors_entries(stream, size, shown)
            member = _choose(entries, shown, member, "save it again")
            what = f"{shown}:{printable(member)}"
            header = safetensors_header(entries[member], start, size, what)
        return converted(_data(file, stream, header, what, memory_map_from), storage, what)


def load_all(path: str | Path, *, max_unpacked: int = MAX_UNPACKED) -> dict[str, Array]:
    """Every array of an .npz file, or of a folder of .npy files, by its name, as it is stored: nothing is converted.

    Parameters
    ----------
    path : the file or the folder, whose large files are mapped into memory; nothing is ever unpickled.
    max_unpacked : bytes that a compressed array may unpack to.

    Raises
    ------
    FileProblem
        The file is missing, damaged, of another format, or holds no arrays.
    """
    file = Path(path)
    shown = printable(file)
    if file.is_dir():
        found = {each.stem: _stored(each) for each in sorted(file.glob("*.npy"))}
        if not found:
            raise FileProblem(f"{shown} is a folder without .npy files: save each array there, with numpy.save")
        return found
    if _kind(file) != "npz":
        raise FileProblem(f"{shown} is no .npz file: save the arrays by name, with numpy.savez(path, name=array)")
    with npz_archive(file) as archive:
        members = npz_members(archive)
        if not members:
            raise FileProblem(f"{shown} holds no arrays: save it again with numpy.savez")
        return {
            name: npz_array(archive, entry, f"{shown}:{printable(name)}", max_unpacked)
            for name, entry in members.items()
        }


def _stored(file: Path) -> Array:
    """The array of a .npy file."""
    what = printable(file)
    if _kind(file) != "npy":
        raise FileProblem(f"{what} is no .npy file: save it again with numpy.save")
    with _opened(file) as stream:
        header = npy_header(stream, what)
        check_size(header, file.stat().st_size - header.offset, what)
        return _data(file, stream, header, what, MEMORY_MAP_FROM)


def _data(file: Path, stream: IO[bytes], header: ArrayHeader, what: str, memory_map_from: int) -> Array:
    if header.bytes >= memory_map_from:
        return map_array(file, header, what)
    stream.seek(header.offset)
    return read_array(stream, header, what)


def _split(path: str | Path) -> tuple[Path, str | None]:
    """The file and the name in it: the longest part before a colon that is a file, unless the whole is a file."""
    text = str(path)
    end = len(text)
    if not _is_file(text):
        while (end := text.rfind(":", 0, end)) > 0:
            if _is_file(text[:end]):
                return Path(text[:end]), text[end + 1 :]
    return Path(text), None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise FileProblem(f"{printable(file)} cannot be read ({error.strerror}): check its permissions") from error


def _kind(file: Path) -> str:
    """``npy``, ``npz`` or ``safetensors``, by the first bytes, whatever the name says."""
    shown = printable(file)
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        raise FileProblem(f"{shown} does not exist: check the path") from None
    except (OSError, ValueError) as error:
        raise FileProblem(f"{shown} is no usable path ({printable(error)}): check it") from error
    if stat.S_ISDIR(mode):
        raise FileProblem(f"{shown} is a directory: give a .npy, .npz or .safetensors file in it")
    if not stat.S_ISREG(mode):
        raise FileProblem(f"{shown} is not a regular file: save the array with numpy.save and give that file")
    with _opened(file) as stream:
        start = stream.read(max(SAFETENSORS_START, len(_OLD_TORCH)))
    if not start:
        raise FileProblem(f"{shown} is empty: save the array again with numpy.save")
    if start.startswith(NPY_MAGIC):
        return "npy"
    if start.startswith(ZIP_MAGIC):
        return "npz"
    if is_safetensors(start):
        return "safetensors"
    if start == _OLD_TORCH:
        raise FileProblem(
            f"{shown} is a PyTorch file, whose pickles are never loaded: save the tensor with "
            "numpy.save(path, x.detach().cpu().numpy()), or save it as .safetensors"
        )
    if start[:1] == b"\x80":
        raise FileProblem(f"{shown} is a pickle, which is never loaded: save the array with numpy.save instead")
    if NPY_MAGIC.startswith(start):
        raise FileProblem(f"{shown} is truncated: save the array again with numpy.save")
    raise FileProblem(
        f"{shown} is neither a .npy, nor a .npz, nor a .safetensors file: save the array with numpy.save or numpy.savez"
    )


def _choose(known: Iterable[str], file: str, member: str | None, otherwise: str) -> str:
    known = list(known)
    if not known:
        raise FileProblem(f"{file} holds no arrays: {otherwise}")
    listed = ", ".join(map(printable, known[:8])) + (", ..." if len(known) > 8 else "")
    if member is None:
        if len(known) > 1:
            raise FileProblem(
                f"{file} holds {len(known)} arrays ({listed}): choose one with {file}:{printable(known[0])}"
            )
        return known[0]
    if member not in known:
        raise FileProblem(f"{file} holds no array {printable(member)!r}: choose one of {listed}")
    return member

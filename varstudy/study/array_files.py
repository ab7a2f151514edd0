"""The user's own arrays: .npy and .npz files, checked before they are trusted."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from varkernels.formats import FORMATS, format_of

from .featuremaps.case import Array, Case
from .featuremaps.streams import Stream

__all__ = ["FileProblem", "Loaded", "from_file", "load", "names"]

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK"
MEMORY_MAP_FROM = 64 * 2**20
"""Bytes from which on a .npy file is mapped into memory instead of read."""


class FileProblem(ValueError):
    """A file cannot be studied: one sentence that names the file and says what to do."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """An array of a file.

    Attributes
    ----------
    array : in one of the four storage formats, native byte order, at least one-dimensional, read-only where
        mapped.
    storage : the format's name.
    how : how the values were converted, a clause for a sentence; empty where they were taken as they are.
    """

    array: Array
    storage: str
    how: str


def names(path: str | Path) -> tuple[str, ...]:
    """The names of the arrays in an .npz file, in order; none for a .npy file.

    Raises
    ------
    FileProblem
        The file is missing, empty, or neither of the two formats.
    """
    file = Path(path)
    if _kind(file) == "npy":
        return ()
    with _archive(file) as archive:
        return tuple(_members(archive))


def load(path: str | Path, *, storage: str | None = None) -> Loaded:
    """One array of a .npy file, or of an .npz file as ``file.npz`` or, where it holds several,
    ``file.npz:name``.

    float16, bfloat16, float32 and float64 are taken as they are, of either byte order, with their NaN and
    infinities. Integers and booleans are converted exactly: to float32 where no magnitude exceeds 2^24, else
    to float64 where none exceeds 2^53. A .npy file of 64 MiB or more is mapped into memory.

    Parameters
    ----------
    path : the file; nothing of it is ever unpickled.
    storage : ``bfloat16`` to read two-byte values as bfloat16, which numpy stores as raw bytes ('V2').

    Raises
    ------
    FileProblem
        The file is missing, a directory, empty, truncated, pickled or no numpy file; or its array has no
        values, or values that no storage format holds.
    """
    file, member = _split(path)
    what = f"{file}:{member}" if member is not None else str(file)
    if _kind(file) == "npy":
        if member is not None:
            raise FileProblem(f"{file} holds a single array: leave out ':{member}'")
        with _opened(file) as stream:
            header = _header(stream, what)
            _check_size(header, file.stat().st_size - header.offset, what)
            if header.bytes >= MEMORY_MAP_FROM:
                array: Array = np.load(file, mmap_mode="r", allow_pickle=False)
            else:
                array = _read(stream, what)
    else:
        with _archive(file) as archive:
            member = _choose(archive, file, member)
            what = f"{file}:{member}"
            entry = _members(archive)[member]
            try:
                with archive.open(entry) as stream:
                    header = _header(stream, what)
                    _check_size(header, entry.file_size - header.offset, what)
                    stream.seek(0)
                    array = _read(stream, what)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
                raise FileProblem(f"{what} cannot be unpacked ({error}): save it again") from error
    return _converted(array, storage, what)


def from_file(
    path: str | Path,
    norm: str = "flat",
    layout: str = "NCHW",
    groups: int | None = None,
    *,
    storage: str | None = None,
) -> Case:
    """A case of the user's own array, with the name ``file/`` and the path as it was given.

    Parameters
    ----------
    path, storage : as for `load`.
    norm, layout, groups : the reduction to study, as for `varkernels.views.view`, which checks the rank.

    Raises
    ------
    FileProblem
        The file cannot be studied, see `load`.
    ValueError
        The norm or the layout is unknown, or group norm has no number of groups.
    """
    loaded = load(path, storage=storage)
    return Case(
        name=f"file/{path}",
        family="file",
        group="user",
        shape=loaded.array.shape,
        layout=layout,
        norms=(norm,),
        groups=groups,
        storages=(loaded.storage,),
        rationale=f"Your own array{', ' + loaded.how if loaded.how else ''}.",
        source=str(path),
        levels=frozenset(),
        generate=partial(_given, array=loaded.array),
    )


def _given(storage: str, stream: Stream, *, array: Array) -> Array:
    return array


# ---------------------------------------------------------------------------------------------- the container


def _split(path: str | Path) -> tuple[Path, str | None]:
    """The file, and the name after its last colon where the whole is no file but the part before it is."""
    text = str(path)
    if ":" in text and not Path(text).exists():
        before, _, after = text.rpartition(":")
        if Path(before).is_file():
            return Path(before), after
    return Path(text), None


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise FileProblem(f"{file} cannot be read ({error.strerror}): check its permissions") from error


def _kind(file: Path) -> str:
    """``npy`` or ``npz``, by the first bytes, whatever the name says."""
    try:
        if file.is_dir():
            raise FileProblem(f"{file} is a directory: give a .npy or .npz file in it")
        if not file.exists():
            raise FileProblem(f"{file} does not exist: check the path")
    except (OSError, ValueError) as error:
        if isinstance(error, FileProblem):
            raise
        raise FileProblem(f"{str(file)!r} is no usable path ({error}): check it") from error
    with _opened(file) as stream:
        start = stream.read(len(NPY_MAGIC))
    if not start:
        raise FileProblem(f"{file} is empty: save the array again with numpy.save")
    if start == NPY_MAGIC:
        return "npy"
    if start.startswith(ZIP_MAGIC):
        return "npz"
    if start[:1] == b"\x80":
        raise FileProblem(f"{file} is a pickle, which is never loaded: save the array with numpy.save instead")
    if NPY_MAGIC.startswith(start):
        raise FileProblem(f"{file} is truncated: save the array again with numpy.save")
    raise FileProblem(f"{file} is neither a .npy nor a .npz file: save the array with numpy.save or numpy.savez")


def _archive(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as error:
        raise FileProblem(f"{file} is truncated or damaged ({error}): save it again with numpy.savez") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {
        entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if entry.filename.endswith(".npy")
    }


def _choose(archive: zipfile.ZipFile, file: Path, member: str | None) -> str:
    known = list(_members(archive))
    if not known:
        raise FileProblem(f"{file} holds no arrays: save it again with numpy.savez")
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    if member is None:
        if len(known) > 1:
            raise FileProblem(f"{file} holds {len(known)} arrays ({shown}): choose one with {file}:{known[0]}")
        return known[0]
    if member not in known:
        raise FileProblem(f"{file} holds no array {member!r}: choose one of {shown}")
    return member


# -------------------------------------------------------------------------------------------------- the array


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def bytes(self) -> int:
        size = self.dtype.itemsize
        for extent in self.shape:
            size *= extent
        return size


def _header(stream: IO[bytes], what: str) -> _Header:
    """Shape and dtype as the file states them, before a byte of data is read; rewinds the stream."""
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            # Version 3 differs from 2 only in how names of fields are written, and fields are refused.
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    except (ValueError, TypeError, EOFError, UnicodeError, SyntaxError) as error:
        raise FileProblem(f"{what} has a damaged or truncated header: save the array again with numpy.save") from error
    if dtype.hasobject:
        raise FileProblem(
            f"{what} holds Python objects, which would have to be unpickled and never are: convert the "
            "array to float with x.astype('float64')"
        )
    header = _Header(tuple(int(extent) for extent in shape), dtype, stream.tell())
    if any(extent < 0 for extent in header.shape):
        raise FileProblem(f"{what} states the impossible shape {header.shape}: save the array again")
    _check_dtype(dtype, what)
    if 0 in header.shape:
        raise FileProblem(f"{what} has shape {header.shape} and so no values: give an array without zero-size axes")
    stream.seek(0)
    return header


def _check_size(header: _Header, there: int, what: str) -> None:
    if there < header.bytes:
        raise FileProblem(
            f"{what} is truncated: its header promises {header.bytes} bytes of data and {there} are there; "
            "save it again"
        )


def _read(stream: IO[bytes], what: str) -> Array:
    try:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except (ValueError, EOFError, MemoryError) as error:
        raise FileProblem(f"{what} cannot be read ({error}): save the array again") from error


def _check_dtype(dtype: np.dtype[Any], what: str) -> None:
    """Refuses what no storage format can hold."""
    if dtype.fields is not None:
        raise FileProblem(f"{what} is a structured array: save one of its fields ({', '.join(dtype.names or ())})")
    if dtype.kind in "biu" or dtype.kind == "V":
        return
    if dtype.kind == "f":
        if dtype.itemsize <= 8:
            return
        raise FileProblem(
            f"{what} is of {dtype.name}, wider than the study's formats: convert it with x.astype('float64')"
        )
    advice = {
        "c": "is complex: save its real and imaginary parts, x.real and x.imag, as two arrays",
        "U": "holds text: convert it to numbers with x.astype('float64')",
        "S": "holds bytes: convert them to numbers with x.astype('float64')",
        "M": "holds dates: convert them to numbers with x.astype('int64')",
        "m": "holds time differences: convert them to numbers with x.astype('int64')",
    }.get(dtype.kind, "has values that are no numbers: convert them with x.astype('float64')")
    raise FileProblem(f"{what} {advice} (its dtype is {dtype})")


def _converted(array: Array, storage: str | None, what: str) -> Loaded:
    if array.ndim == 0:
        array = array.reshape(1)
    if storage is not None and storage not in FORMATS:
        raise FileProblem(f"storage {storage!r} of {what} is unknown: use one of {', '.join(FORMATS)}")
    if array.dtype.kind == "V" or storage == "bfloat16":
        return _as_bfloat16(array, storage, what)
    if array.dtype.kind in "biu":
        loaded = _from_integers(array, what)
    else:
        native = array.dtype.newbyteorder("=")
        fmt = format_of(native)
        loaded = Loaded(array if array.dtype.isnative else array.astype(native), fmt.name, "")
    if storage is not None and storage != loaded.storage:
        raise FileProblem(
            f"{what} is stored as {array.dtype}, not as {storage}: convert it yourself, with x.astype('{storage}')"
        )
    return loaded


def _as_bfloat16(array: Array, storage: str | None, what: str) -> Loaded:
    if array.dtype.itemsize != 2 or array.dtype.kind not in "Vui":
        if storage == "bfloat16":
            raise FileProblem(
                f"{what} is of {array.dtype}, which is not two raw bytes a value: only those can be read as bfloat16"
            )
        raise FileProblem(f"{what} holds raw values of {array.dtype.itemsize} bytes: save them as float32")
    if storage != "bfloat16":
        raise FileProblem(
            f"{what} holds raw two-byte values, as numpy saves bfloat16: if they are that, say storage bfloat16"
        )
    bits = array if array.dtype.kind == "V" or array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return Loaded(bits.view(ml_dtypes.bfloat16), "bfloat16", f"its {array.dtype} bytes read as bfloat16")


def _from_integers(array: Array, what: str) -> Loaded:
    kind = "booleans" if array.dtype.kind == "b" else f"{array.dtype.name} integers"
    largest = max(abs(int(array.min())), abs(int(array.max())))
    for storage in ("float32", "float64"):
        if largest <= 2 ** FORMATS[storage].precision:
            return Loaded(array.astype(FORMATS[storage].dtype), storage, f"{kind} converted exactly to {storage}")
    raise FileProblem(
        f"{what} holds integers up to {largest}, beyond 2^53, which float64 cannot hold exactly: subtract "
        "an offset or convert it yourself"
    )

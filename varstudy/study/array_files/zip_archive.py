"""The members of an .npz archive, unpacked within a limit."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from .array_header import Array, check_size, npy_header, read_array
from .problem import FileProblem, printable

__all__ = ["ZIP_MAGIC", "npz_archive", "npz_array", "npz_members"]

ZIP_MAGIC = b"PK"

# All that `zipfile` raises for damaged or unusual archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    MemoryError,
)
# How numpy.savez and numpy.savez_compressed pack. `zipfile` unpacks the other methods without a limit on memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHERS = {zipfile.ZIP_BZIP2: " (bzip2)", zipfile.ZIP_LZMA: " (LZMA)"}


def npz_archive(file: Path) -> zipfile.ZipFile:
    """The open archive.

    Raises
    ------
    FileProblem
        It is damaged, or a PyTorch file.
    """
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise FileProblem(
            f"{printable(file)} is truncated or damaged ({printable(error)}): save it again with numpy.savez"
        ) from None
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in archive.namelist()):
        archive.close()
        raise FileProblem(
            f"{printable(file)} is a PyTorch file, whose pickles are never loaded: save the tensor with "
            "numpy.save(path, x.detach().cpu().numpy()), or save it as .safetensors"
        )
    return archive


def npz_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays by name."""
    return {
        entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if entry.filename.endswith(".npy")
    }


def npz_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, what: str, max_unpacked: int) -> Array:
    """One member, unpacked.

    Raises
    ------
    FileProblem
        It is damaged, or no array that can be studied, or larger than the limit.
    """
    if entry.compress_type not in _METHODS:
        raise FileProblem(
            f"{what} is packed by method {entry.compress_type}{_OTHERS.get(entry.compress_type, '')}, which numpy does "
            "not write: save it again with numpy.savez_compressed"
        )
    try:
        with archive.open(entry) as stream:
            header = npy_header(stream, what)
            check_size(header, entry.file_size - header.offset, what)
            if entry.compress_type != zipfile.ZIP_STORED and header.bytes > max_unpacked:
                raise FileProblem(
                    f"{what} unpacks from {entry.compress_size} to {header.bytes} bytes, and {max_unpacked} are the "
                    f"limit: raise it with --max-unpacked {-(-header.bytes // 2**20)} (in MiB)"
                )
            array = read_array(stream, header, what)
            stream.read(1)  # At the end the checksum is compared.
            return array
    except FileProblem:
        raise
    except _DAMAGE as error:
        raise FileProblem(f"{what} cannot be unpacked ({printable(error)}): save it again") from None

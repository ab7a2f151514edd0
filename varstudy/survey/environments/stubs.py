"""Empty libraries in place of CUDA's, for a build that names them and calls none of them on a processor.

A function of theirs that is called all the same returns 1, an error to cuDNN and cuBLAS alike.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["make", "wanted"]


def wanted(listing: str, name: str) -> list[str]:
    """The functions that a library wants from the library `name`, from what ``readelf --dyn-syms -W`` prints of it."""
    pattern = re.compile(rf"\bUND\s+(\w+)@+{re.escape(name)}(?:\s|$)", re.MULTILINE)
    return sorted(set(pattern.findall(listing)))


def make(library: Path, names: Iterable[str], folder: Path) -> None:
    """Make each library of `names`, with the functions that `library` wants from it, in a folder.

    Raises
    ------
    OSError
        readelf or gcc is not there, or the folder cannot be written.
    subprocess.CalledProcessError
        One of them fails.
    """
    listing = _output(["readelf", "--dyn-syms", "-W", str(library)])
    folder.mkdir(exist_ok=True)
    for name in names:
        functions = wanted(listing, name)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            code, versions, made = Path(place, "stub.c"), Path(place, "stub.map"), Path(place, name)
            code.write_text("".join(f"long {each}(void) {{ return 1; }}\n" for each in functions))
            exported = "".join(f"{each}; " for each in functions)
            versions.write_text(f"{name} {{ {'global: ' + exported if exported else ''}local: *; }};\n")
            options = ["-shared", "-fPIC", f"-Wl,-soname,{name}", f"-Wl,--version-script,{versions}"]
            _output(["gcc", *options, "-o", str(made), str(code)])
            made.replace(folder / name)


def _output(words: list[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=True).stdout

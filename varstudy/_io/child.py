"""Run a script in another interpreter with time and memory limits; it returns JSON in a file.

The memory that counts is what the processes hold, read from /proc and summed over the session. A limit of address
space (RLIMIT_AS) is not used: JAX and TensorFlow reserve many times what they hold.

Its home is an empty folder: what a library finds in the user's (.theanorc, keras.json, .nnabla) changes what it does,
and what it leaves there would stay.

All of this ends with `run`, however that ends: signals that the command line turns into exceptions (SIGINT, SIGTERM,
SIGHUP) included. SIGKILL lets nothing be tidied up: the script itself ends with this process, but neither processes
that it had started nor the temporary folder do.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = ["MEMORY", "Outcome", "child_variables", "run", "run_words", "thread_variables"]

MEMORY = 12 * 2**30
LAUNCH = Path(__file__).with_name("child_launch.py")
# What is kept of each output, and the largest answer that is read.
KEPT = 64 * 2**10
LARGEST = 256 * 2**20
# Seconds between two looks at the child.
PAUSE = 0.05

# What of this process's environment a child sees; all else could change what a framework does. Where somebody chose a
# folder for caches, it serves; else they go with the home.
PASSED = (
    "PATH", "LANG", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "XDG_CACHE_HOME",
)  # fmt: skip
PASSED_PREFIXES = ("LC_",)


@dataclass(frozen=True)
class Outcome:
    """How a script ended.

    Attributes
    ----------
    kind : ``ok``, ``timed out``, ``memory``, ``killed``, ``failed`` (an exit code), ``garbled`` (no JSON) or
        ``no start``.
    answer : the JSON that it wrote; where it is not ok, what it had written by then, None where that is no JSON.
    sentence : what happened, where it is not ok.
    code : exit code, or minus the signal's number. tail : the last lines of its standard error, else of its output.
    seconds : that it took. peak : the largest memory that was seen, in bytes; 0 where the system does not tell.
    """

    kind: str
    answer: Any = None
    sentence: str = ""
    code: int = 0
    tail: str = ""
    seconds: float = 0.0
    peak: int = 0

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.kind == "ok"


def thread_variables(count: int) -> dict[str, str]:
    """The environment variables that tell numerical libraries how many threads to use."""
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "BLIS", "RAYON", "POLARS")
    found = {f"{library}_NUM_THREADS": str(count) for library in libraries}
    found["POLARS_MAX_THREADS"] = found.pop("POLARS_NUM_THREADS")
    found["VECLIB_MAXIMUM_THREADS"] = found["NUMEXPR_MAX_THREADS"] = str(count)
    found["NUMBA_NUM_THREADS"] = found["CPU_NUM"] = found["MXNET_CPU_WORKER_NTHREADS"] = str(count)
    found["TF_NUM_INTRAOP_THREADS"] = found["TF_NUM_INTEROP_THREADS"] = str(count)
    found["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if count > 1 else 'false'}"
    return found


def child_variables(threads: int, home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """A child's whole environment: few inherited variables, a home, threads pinned, no GPU, then what is asked for."""
    passed = {k: v for k, v in os.environ.items() if k in PASSED or k.startswith(PASSED_PREFIXES)}
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2", "JAX_PLATFORMS": "cpu"}
    return {**passed, "HOME": str(home), **quiet, **thread_variables(threads), **variables}


def run(
    interpreter: str | Path,
    script: str | Path,
    arguments: Sequence[str] = (),
    *,
    seconds: float,
    memory: int = MEMORY,
    threads: int = 1,
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """Run ``SCRIPT ARGUMENTS --out FILE`` and read the JSON that it leaves in FILE.

    Parameters
    ----------
    interpreter : the Python that runs it, such as `interpreter` gives. script : the file.
    arguments : of its command line, before ``--out``.
    seconds, memory : limits of the wall clock and of what all its processes hold together, in bytes.
    threads : of the numerical libraries, and cores that it may run on.
    variables : for its environment, over all others: HOME, too, where a library keeps what it compiled.

    The script runs in a temporary folder that is gone afterwards, and so is its empty home; without user site and
    PYTHON* variables, and with its own folder on the path. When this returns, by Ctrl-C too, no process of its session
    is left.

    Returns
    -------
    `Outcome`, whatever the script does: an interpreter or a script that is not there is one, too, and no error.
    """
    folder = tempfile.mkdtemp(prefix="varstudy-")
    try:
        work, home, out = (Path(folder, name) for name in ("work", "home", "answer.json"))
        work.mkdir()
        home.mkdir()
        begin = [str(interpreter), "-I", "-X", "faulthandler", str(LAUNCH), str(os.getpid()), str(threads)]
        words = [*begin, str(Path(script).resolve()), *arguments, "--out", str(out)]
        given = child_variables(threads, home, variables or {})
        return run_words(words, out, given, seconds=seconds, memory=memory, folder=work)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_words(
    words: Sequence[str],
    out: Path,
    environment: Mapping[str, str],
    *,
    seconds: float,
    memory: int | None = MEMORY,
    folder: Path | None = None,
    echo: bool = False,
) -> Outcome:
    """Run a command that leaves JSON in a file, under limits; `run` without its interpreter and its empty home.

    Parameters
    ----------
    words : the command line. out : the file of its answer. environment : the whole of it.
    seconds, memory : as for `run`; without a limit of memory nobody looks at it, which a measured time would show.
    folder : its working directory, by default this process's own.
    echo : whether what it writes to its standard error, such as its progress, is written to ours.
    """
    start = time.monotonic()
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        return Outcome("no start", sentence=f"{words[0]} cannot be started ({error.strerror or error})")
    watch = _Watch(child, start + seconds, memory, echo)
    try:
        end = watch.until_it_ends()
    finally:
        code = watch.end_all()
    tail = watch.tail()
    spent = time.monotonic() - start
    kind, sentence = _judge(end, code, tail, seconds, memory)
    try:
        answer = _answer(out)
    except ValueError as error:
        answer = None
        if kind == "ok":
            kind, sentence = "garbled", str(error)
    return Outcome(kind, answer, sentence, code, tail, spent, watch.peak)


class _Watch:
    """A child that leads a session: its output drained, its memory and time watched, all of it ended."""

    def __init__(self, child: subprocess.Popen[bytes], deadline: float, memory: int | None, echo: bool) -> None:
        self.child, self.deadline, self.memory, self.echo = child, deadline, memory, echo
        self.peak = 0
        self.kept = {"out": b"", "err": b""}
        self.selector = selectors.DefaultSelector()
        for name, stream in (("out", child.stdout), ("err", child.stderr)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self.selector.register(stream, selectors.EVENT_READ, name)
        # Where the system's memory runs out, the child is the one to go.
        with contextlib.suppress(OSError):
            Path(f"/proc/{child.pid}/oom_score_adj").write_text("1000")

    def until_it_ends(self) -> str:
        """``ended``, ``timed out`` or ``memory``."""
        looked = 0.0
        while not self._ended():
            self._drain(PAUSE)
            now = time.monotonic()
            if now >= self.deadline:
                return "timed out"
            if self.memory is not None and now - looked >= PAUSE:
                looked = now
                self.peak = max(self.peak, _held(self.child.pid))
                if self.peak > self.memory:
                    return "memory"
        return "ended"

    def _ended(self) -> bool:
        # Not reaped yet: until then its number is its own, and so is its group's.
        return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _drain(self, pause: float) -> None:
        if not self.selector.get_map():
            time.sleep(pause)
            return
        for key, _ in self.selector.select(pause):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            data = os.read(stream.fileno(), KEPT)
            if data:
                self.kept[key.data] = (self.kept[key.data] + data)[-KEPT:]
                if self.echo and key.data == "err":
                    with contextlib.suppress(OSError):  # a closed standard error does no harm
                        sys.stderr.write(data.decode("utf-8", "replace"))
                        sys.stderr.flush()
            else:
                self.selector.unregister(stream)

    def end_all(self) -> int:
        """End the child and all of its session; its exit code."""
        for pid in _session(self.child.pid):
            if pid != self.child.pid:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(self.child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        # What it wrote last; what a process outside the session goes on writing is not waited for.
        for _ in range(16):
            if not self.selector.get_map() or not self.selector.select(0):
                break
            self._drain(0)
        self.selector.close()
        code = self.child.wait()
        for stream in (self.child.stdout, self.child.stderr):
            assert stream is not None
            stream.close()
        return code

    def tail(self) -> str:
        """The last lines that it wrote to its standard error, else to its output."""
        for name in ("err", "out"):
            lines = [line.rstrip() for line in self.kept[name].decode("utf-8", "replace").splitlines() if line.strip()]
            if lines:
                return "\n".join(line[:500] for line in lines[-20:])
        return ""


def _stat(pid: str) -> tuple[int, int] | None:
    """Session and resident bytes of a process; None where it is gone."""
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return int(fields[3]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _processes() -> list[tuple[int, int, int]]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - names alone
    except OSError:
        return []
    return [(int(name), *stat) for name in names if name.isdigit() and (stat := _stat(name)) is not None]


def _session(leader: int) -> list[int]:
    return [pid for pid, session, _ in _processes() if session == leader]


def _held(leader: int) -> int:
    return sum(held for _, session, held in _processes() if session == leader)


def _last(tail: str) -> str:
    """The line that says most: the last that is no stack, and short."""
    lines = [line.strip() for line in tail.splitlines() if not line.startswith((" ", "Extension modules"))]
    return (lines or [tail.strip()])[-1][:300]


def _judge(end: str, code: int, tail: str, seconds: float, memory: int | None) -> tuple[str, str]:
    """Kind and sentence of how the process ended."""
    if end == "timed out":
        return "timed out", f"it did not end within {seconds:.3g} s"
    if end == "memory" and memory is not None:
        return "memory", f"it held more than {memory / 2**30:.3g} GiB of memory"
    last = _last(tail)
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return "killed", f"it was killed by {name}"
    if code:
        if last.startswith("MemoryError") or "bad_alloc" in last:
            return "memory", f"it ran out of memory ({last})"
        return "failed", f"it ended with exit code {code}" + (f" ({last})" if last else "")
    return "ok", ""


def _answer(out: Path) -> Any:
    """The JSON of a file; ValueError with a sentence where there is none."""
    try:
        if out.stat().st_size > LARGEST:
            raise ValueError(f"it wrote more than {LARGEST // 2**20} MiB")
        text = out.read_text("utf-8")
    except FileNotFoundError:
        raise ValueError("it ended without an answer") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"its answer cannot be read ({error})") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"what it wrote is no JSON ({error})") from error

"""Processes that measure: fresh interpreters that end by themselves when their parent is gone.

A worker is `python -m varstudy.study.pool`; tasks and answers go through its standard input and output. Nothing is
forked, and the caller's own script needs no main guard.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .._io.streams import open_closed_streams

__all__ = ["Crew", "Perform", "Task", "WorkerFailed", "here"]

Task = tuple[Any, ...]
# Performs tasks in some order: the index and the answer of each when it is done.
Perform = Callable[[Iterable[Task]], Iterator[tuple[int, Any]]]

_LENGTH = struct.Struct("<Q")


class WorkerFailed(RuntimeError):
    """A worker ended, or a task raised: the sentence is the task's."""


def here(tasks: Iterable[Task]) -> Iterator[tuple[int, Any]]:
    """`Crew.run`, in this process."""
    for index, (function, *arguments) in enumerate(tasks):
        yield index, function(*arguments)


def _send(stream: IO[bytes], message: Any) -> None:
    data = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (size,) = _LENGTH.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)


class Crew:
    """Some workers, as a context manager: on leaving it they are gone, whatever they were doing."""

    def __init__(self, count: int) -> None:
        # The packages are found by the workers as they are by this process, installed or not.
        roots = [str(Path(__file__).resolve().parents[2]), *sys.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in roots if p)}
        self._workers = [
            subprocess.Popen(
                [sys.executable, "-m", "varstudy.study.pool"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
            for _ in range(count)
        ]

    @property
    def pids(self) -> list[int]:
        """The workers' process numbers."""
        return [worker.pid for worker in self._workers]

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if kind is not None:
                worker.kill()
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.close()
            worker.stdout.close()
        for worker in self._workers:
            worker.wait()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Any]]:
        """Hand out the tasks in order, one to each idle worker; give the index and the answer of each when it is done.

        Parameters
        ----------
        tasks : (function, *arguments); the worker imports the function by its name, and the answer must pickle.

        Raises
        ------
        WorkerFailed
            A task raised, or a worker died.
        OSError
            A task raised it: a full disk, say.
        """
        queue = enumerate(tasks)
        with selectors.DefaultSelector() as selector:
            busy = 0
            for worker in self._workers:
                busy += self._next(worker, queue, selector)
            while busy:
                for key, _ in selector.select():
                    worker = key.data
                    selector.unregister(key.fileobj)
                    try:
                        index, answer, error = _receive(worker.stdout)
                    except EOFError:
                        raise WorkerFailed(f"a worker ended with exit code {worker.wait()}: run again") from None
                    if isinstance(error, OSError):
                        raise error
                    if error is not None:
                        raise WorkerFailed(str(error))
                    yield index, answer
                    busy += self._next(worker, queue, selector) - 1

    @staticmethod
    def _next(
        worker: subprocess.Popen[bytes], queue: Iterator[tuple[int, Task]], selector: selectors.BaseSelector
    ) -> int:
        """Give a worker its next task; 0 where there is none."""
        for index, task in queue:
            assert worker.stdin is not None
            assert worker.stdout is not None
            try:
                _send(worker.stdin, (index, task))
            except BrokenPipeError:
                raise WorkerFailed(f"a worker ended with exit code {worker.wait()}: run again") from None
            selector.register(worker.stdout, selectors.EVENT_READ, worker)
            return 1
        return 0


def main() -> None:
    """A worker's life: tasks from standard input until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    open_closed_streams()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    while True:
        try:
            index, (function, *arguments) = _receive(sys.stdin.buffer)
        except EOFError:
            return
        answer: Any = None
        error: Any = None
        try:
            answer = function(*arguments)
        except OSError as problem:
            error = problem
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        try:
            _send(answers, (index, answer, error))
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()

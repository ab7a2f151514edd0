"""Environments are made whole or not at all, and a script in one can do no harm: time, memory, output, signals."""

from __future__ import annotations

import ast
import errno
import fcntl
import functools
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from varstudy._io import child
from varstudy.survey import environments
from varstudy.survey.environments import (
    Environment,
    EnvironmentProblem,
    Need,
    declaring,
    failures,
    pythons,
    stubs,
)
from varstudy.survey.frameworks.catalogue import ENVIRONMENTS, FRAMEWORKS

# The package's `install` is the function.
making: Any = importlib.import_module("varstudy.survey.environments.installing")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
PROLOGUE = """
import json, os, sys
def answer(value):
    with open(sys.argv[sys.argv.index("--out") + 1], "w") as file:
        json.dump(value, file)
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(PROLOGUE + text)
        return path

    return write


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


# A script and its end ---------------------------------------------------------------------------------------------


def test_an_answer_comes_back(script: Any) -> None:
    done = child.run(sys.executable, script("answer([1, 'two', sys.argv[1:3]])"), ["--a", "b"], seconds=60)
    assert done.ok
    assert done.answer == [1, "two", ["--a", "b"]]
    assert done.sentence == ""


def test_memory_is_told(script: Any) -> None:
    text = "import time\nheld = b'x' * 2**27\ntime.sleep(1)\nanswer(0)"
    assert 2**27 < child.run(sys.executable, script(text), seconds=60).peak < 2**28


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("import ctypes; ctypes.string_at(0)", "killed", "it was killed by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "killed", "it was killed by SIGKILL"),
        ("os.abort()", "killed", "it was killed by SIGABRT"),
        ("sys.exit(7)", "failed", "it ended with exit code 7"),
        ("os._exit(0)", "garbled", "it ended without an answer"),
        ("raise OSError('no such thing')", "failed", "it ended with exit code 1 (OSError: no such thing)"),
        ("raise MemoryError", "memory", "it ran out of memory (MemoryError)"),
    ],
)
def test_an_end_is_told(script: Any, text: str, kind: str, sentence: str) -> None:
    done = child.run(sys.executable, script(text), seconds=60)
    assert (done.kind, done.sentence, done.answer) == (kind, sentence, None)


@pytest.mark.parametrize(
    "text",
    [
        "open(sys.argv[-1], 'w').write('not JSON')",
        "open(sys.argv[-1], 'w').write('{\"half\": [1, 2')",
        "open(sys.argv[-1], 'wb').write(bytes(range(256)))",
        "open(sys.argv[-1], 'w').write('[' * 200000)",
        "open(sys.argv[-1], 'w')",
        "os.mkdir(sys.argv[-1])",
    ],
)
def test_what_is_no_json_is_garbled(script: Any, text: str) -> None:
    done = child.run(sys.executable, script(text), seconds=60)
    assert done.kind == "garbled"
    assert done.answer is None
    assert done.sentence
    assert "\n" not in done.sentence


def test_what_was_written_before_a_crash_is_kept(script: Any) -> None:
    done = child.run(sys.executable, script("answer({'so': 'far'}); os.abort()"), seconds=60)
    assert (done.kind, done.answer) == ("killed", {"so": "far"})


def test_what_hangs_is_ended_with_its_children(script: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = f"""
import subprocess
inner = subprocess.Popen(["sleep", "600"])
other = subprocess.Popen(["sleep", "600"], preexec_fn=os.setpgrp)
open({str(pids)!r}, "w").write("%d %d %d" % (os.getpid(), inner.pid, other.pid))
import time
time.sleep(600)
"""
    done = child.run(sys.executable, script(text), seconds=3)
    assert (done.kind, done.sentence) == ("timed out", "it did not end within 3 s")
    assert 3 <= done.seconds < 60
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_child_left_behind_is_ended_and_not_waited_for(script: Any, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"""
import subprocess
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pid)!r}, "w").write(str(inner.pid))
answer(1)
"""
    done = child.run(sys.executable, script(text), seconds=100)
    assert done.ok
    assert done.seconds < 60
    assert gone(int(pid.read_text()))


EATER = "held = []\nwhile True:\n    held.append(b'x' * 2**22)\n"


@pytest.mark.parametrize(
    "text",
    [EATER, f"import subprocess\nsubprocess.run([sys.executable, '-c', {EATER!r}])"],
    ids=["itself", "a child of it"],
)
def test_memory_is_limited(script: Any, text: str) -> None:
    done = child.run(sys.executable, script(text), seconds=60, memory=300 * 2**20)
    assert (done.kind, done.sentence) == ("memory", "it held more than 0.293 GiB of memory")


def test_reserved_memory_does_not_count(script: Any) -> None:
    """JAX and TensorFlow reserve many times what they hold."""
    text = "import mmap\nheld = mmap.mmap(-1, 2**34, flags=mmap.MAP_PRIVATE | mmap.MAP_NORESERVE)\nanswer(len(held))"
    text = text.replace("mmap.MAP_NORESERVE", "0x4000")
    done = child.run(sys.executable, script(text), seconds=60, memory=300 * 2**20)
    assert done.answer == 2**34


def test_endless_output_fills_no_memory(script: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = "for _ in range(300): sys.stdout.write('y' * 2**20); sys.stderr.write('z' * 2**19 + '\\n')\nanswer(0)"
    done = child.run(sys.executable, script(text), seconds=100)
    assert done.ok
    assert len(done.tail) < 2 * child.KEPT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 2**10  # KiB; 450 MiB were written


def test_an_interpreter_that_is_not_there(script: Any, tmp_path: Path) -> None:
    done = child.run(tmp_path / "python", script("answer(0)"), seconds=60)
    assert done.kind == "no start"
    assert done.sentence == f"{tmp_path / 'python'} cannot be started (No such file or directory)"


def test_nothing_of_this_environment_gets_in(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_STATE_HOME")
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND", *settings):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "sibling.py").write_text("HERE = 'sibling'")
    text = """
import sibling, site
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
answer([dict(os.environ), sibling.HERE, site.ENABLE_USER_SITE, os.getcwd(), cores])
"""
    done = child.run(sys.executable, script(text), seconds=60, threads=1, variables={"KERAS_BACKEND": "jax"})
    seen, sibling, user_site, folder, cores = done.answer
    assert seen["KERAS_BACKEND"] == "jax"
    assert not {"PYTHONPATH", "PYTHONSTARTUP", "JAX_ENABLE_X64", "TF_ENABLE_ONEDNN_OPTS", *settings} & set(seen)
    assert seen["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    assert sibling == "sibling"
    assert not user_site
    assert cores == 1
    assert folder != str(Path.cwd())
    assert not Path(folder).exists()


def test_a_script_has_an_empty_home_and_the_user_s_stays_as_it_is(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that a library reads there would be measured, and what it leaves there would be the user's to remove."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".theanorc").write_text("[global]\nmode=FAST_COMPILE\n")
    monkeypatch.setenv("HOME", str(home))
    text = """
home = os.path.expanduser("~")
before = os.listdir(home)
os.mkdir(os.path.join(home, ".keras"))
answer([home, before, os.path.samefile(home, "."), sorted(os.listdir("."))])
"""
    done = child.run(sys.executable, script(text), seconds=60)
    where, found, same, beside = done.answer
    assert found == []
    assert not same
    assert beside == []
    assert where != str(home)
    assert not Path(where).exists()
    assert sorted(path.name for path in home.iterdir()) == [".theanorc"]
    # an environment that keeps something in a home of its own says so
    own = tmp_path / "own"
    done = child.run(
        sys.executable, script("answer(os.path.expanduser('~'))"), seconds=60, variables={"HOME": str(own)}
    )
    assert done.answer == str(own)


@pytest.mark.parametrize("count", [1, 2])
def test_threads_are_pinned(script: Any, count: int) -> None:
    done = child.run(sys.executable, script("answer(dict(os.environ))"), seconds=60, threads=count)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        assert done.answer[name] == str(count)


DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys
from varstudy._io import child
print("started", flush=True)
child.run(sys.executable, sys.argv[1], seconds=600)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_this_process_is_the_end_of_the_script(script: Any, tmp_path: Path, how: signal.Signals) -> None:
    pid = tmp_path / "pid"
    text = f"open({str(pid)!r} + '.part', 'w').write(str(os.getpid())); os.rename({str(pid)!r} + '.part', {str(pid)!r})"
    path = script(text + "\nimport time\ntime.sleep(600)")
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while not pid.exists() and time.monotonic() < end:
            time.sleep(0.02)
        inner = int(pid.read_text())
        assert alive(inner)
        driver.send_signal(how)
        driver.communicate(timeout=60)
        assert gone(inner)
    finally:
        driver.kill()
        driver.communicate()


# What started the tests may ignore these signals, as nohup and background shells do.
COMMAND = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys
import click
from varstudy._io import child
from varstudy.cli.program import Program

@click.group(cls=Program)
def cli() -> None: ...

@cli.command()
@click.argument("script")
def measure(script: str) -> None:
    child.run(sys.executable, script, seconds=600)

cli.main()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_a_command_leaves_no_process_and_no_folder(script: Any, tmp_path: Path, how: signal.Signals) -> None:
    """Not even a process that the script started, such as a database's server."""
    pids, temporary = tmp_path / "pids", tmp_path / "temporary"
    temporary.mkdir()
    path = script(f"""
import subprocess, time
inner = subprocess.Popen(["sleep", "600"])
open({str(pids)!r} + ".part", "w").write("%d %d" % (os.getpid(), inner.pid))
os.rename({str(pids)!r} + ".part", {str(pids)!r})
time.sleep(600)
""")
    given = {**os.environ, "TMPDIR": str(temporary)}
    words = [sys.executable, "-c", COMMAND, "measure", str(path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=given) as driver:
        try:
            end = time.monotonic() + 60
            while not pids.exists() and time.monotonic() < end:
                time.sleep(0.02)
            inner = [int(pid) for pid in pids.read_text().split()]
            assert all(map(alive, inner))
            assert list(temporary.iterdir())
            driver.send_signal(how)
            _, told = driver.communicate(timeout=60)
            left = [pid for pid in inner if not gone(pid, 5)]
            assert not left
        finally:
            driver.kill()
            for pid in inner:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
    assert list(temporary.iterdir()) == []
    assert driver.returncode == 128 + how
    assert told.splitlines() == ["Interrupted." if how == signal.SIGINT else f"Interrupted by {how.name}."]


def test_what_runs_there_parses_on_python_3_6() -> None:
    ast.parse(child.LAUNCH.read_text(), feature_version=(3, 6))


# The catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=str)
def test_every_environment_is_pinned(environment: Environment) -> None:
    for requirement in (*environment.requirements, *environment.without_dependencies):
        assert re.search(r"==|<", requirement), requirement
    for package in environment.node:
        assert re.search(r".@\d", package), package
    assert environment.megabytes > 0
    assert re.fullmatch(r"3\.\d+", environment.python)
    assert environment.installer in ("uv", "pip")
    # uv takes another build of it, of several GB
    assert environment.installer == "pip" or not any(r.startswith("torch") for r in environment.requirements)


def test_every_framework_has_an_environment_and_every_environment_a_framework() -> None:
    assert {each.environment for each in FRAMEWORKS.values() if each.measured} == set(ENVIRONMENTS)
    assert [name for name, each in FRAMEWORKS.items() if not each.measured] == ["caffe", "caffe2", "tf-addons"]


def test_the_digest_is_that_of_what_is_installed() -> None:
    one = ENVIRONMENTS["chainer"]
    assert replace(one, quirk="other", megabytes=7).digest() == one.digest()
    assert replace(one, requirements=(*one.requirements, "six==1.17.0")).digest() != one.digest()
    assert ENVIRONMENTS["core"].pins()["mlx"] == "0.32.4"
    assert ENVIRONMENTS["core"].pins()["tf-keras"] == "2.21.0"


# Making one -------------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip sees one folder with one wheel; uv is not there."""
    shelf = tmp_path_factory.mktemp("shelf")
    with zipfile.ZipFile(shelf / "varstudy_fake-1.0-py3-none-any.whl", "w") as wheel:
        info = "varstudy_fake-1.0.dist-info"
        wheel.writestr("varstudy_fake.py", "VALUE = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: varstudy-fake\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setattr(pythons, "uv", lambda: None)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed") / "made"


@pytest.fixture
def install(seed: Path) -> Callable[..., environments.Installed]:
    """Installs; the first venv is made, which takes most of the time, and those after it are copies of that."""

    def create(environment: Environment, base: str, tool: str | None) -> None:
        where = making.folder(environment)
        if seed.exists() and tool is None and pythons.version(base) == HERE:
            shutil.copytree(seed, where, symlinks=True)
            return
        making.create_folder(environment, base, tool)
        if not seed.exists():
            shutil.copytree(where, seed, symlinks=True)

    return functools.partial(environments.install, create=create)


@pytest.fixture
def fake(offline: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return Environment("fake", HERE, ("varstudy_fake==1.0",), megabytes=1, variables={"WHERE": "{folder}/x"})


@pytest.fixture
def empty(fake: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The same, and nothing made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield fake
    shutil.rmtree(tmp_path / "varstudy", ignore_errors=True)


def refused(environment: Environment, install: Callable[..., Any] = environments.install) -> str:
    with pytest.raises(EnvironmentProblem) as problem:
        install(environment)
    assert environments.installed(environment) is None
    text = str(problem.value)
    assert "\n" not in text
    assert text.startswith(f"{environment.name}: ")
    return text


def test_it_is_made_kept_completed_and_mended(
    fake: Environment, install: Callable[..., Any], cache: Path, script: Any
) -> None:
    assert environments.installed(fake) is None
    said: list[str] = []
    made = install(fake, said.append)
    assert made.folder == cache / "varstudy" / "environments" / "fake"
    assert made.packages["varstudy-fake"] == "1.0"
    assert said[0] == f"fake: a new environment of Python {HERE}"
    assert making.variables(fake) == {"WHERE": f"{made.folder}/x"}
    done = child.run(made.python, script("import varstudy_fake; answer(varstudy_fake.VALUE)"), seconds=60)
    assert done.answer == 42

    # there already
    said.clear()
    assert install(fake, said.append) == made
    assert said == []

    # half of it: no marker, as after an interruption; the Python that is there stays
    created = (made.folder / "pyvenv.cfg").stat().st_ino
    (made.folder / making.MARKER).unlink()
    assert environments.installed(fake) is None
    assert install(fake, said.append) == made
    assert not any("new environment" in line for line in said)
    assert (made.folder / "pyvenv.cfg").stat().st_ino == created

    # other pins: no longer what is wanted
    assert environments.installed(replace(fake, requirements=("varstudy_fake==2.0",))) is None

    # other pins than before: nothing of them stays
    marker = made.folder / making.MARKER
    marker.write_text(marker.read_text().replace(fake.digest(), "0" * 64))
    (made.folder / "left").write_text("")
    said.clear()
    assert install(fake, said.append) == made
    assert said[0] == "fake: what is there has other pins; it is made afresh"
    assert not (made.folder / "left").exists()

    # a marker that was cut
    (made.folder / making.MARKER).write_text('{"digest": ')
    assert environments.installed(fake) is None

    # a Python that does not run
    said.clear()
    made.python.unlink()
    made.python.write_text("no program")
    assert install(fake, said.append) == made
    assert said[0] == "fake: what is there does not run; it is made afresh"


def test_a_version_that_is_not_there(fake: Environment, install: Callable[..., Any]) -> None:
    sentence = refused(replace(fake, requirements=("varstudy_fake==9.9",)), install)
    assert sentence == (
        f"fake: the package index has no varstudy_fake==9.9 for Python {HERE} on this machine: it was not installed"
    )


def test_no_network(fake: Environment, install: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert refused(replace(fake, requirements=("varstudy_absent==1.0",)), install) == (
        "fake: the package index does not answer: check the network and install it again"
    )


def test_uv_that_cannot_is_followed_by_pip(
    fake: Environment, install: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(fake)  # made, or completed
    tool = tmp_path / "uv"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "error: error sending request" >&2\nexit 2\n')
    tool.chmod(0o755)
    monkeypatch.setattr(pythons, "uv", lambda: str(tool))
    (making.folder(fake) / making.MARKER).unlink()
    assert environments.install(fake).packages["varstudy-fake"] == "1.0"
    assert "pip install --python" in (tmp_path / "asked").read_text()
    asked = (tmp_path / "asked").read_text()
    (making.folder(fake) / making.MARKER).unlink()
    environments.install(replace(fake, installer="pip"))
    assert (tmp_path / "asked").read_text() == asked


def test_no_such_python(empty: Environment) -> None:
    sentence = refused(replace(empty, python="3.99"))
    assert sentence.startswith("fake: there is no Python 3.99 on PATH or among pyenv's: install it")


def test_a_python_that_uv_brings(empty: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip must install and there is no such Python, uv is asked for one; a failure is told."""
    tool = tmp_path / "uv"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "error: dns error" >&2\nexit 2\n')
    tool.chmod(0o755)
    monkeypatch.setattr(pythons, "uv", lambda: str(tool))
    lacking = replace(empty, python="3.99", installer="pip")
    assert refused(lacking) == "fake: the package index does not answer: check the network and install it again"
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "python install 3.99"


def test_a_package_of_the_system_is_missing(empty: Environment) -> None:
    lacking = replace(
        empty, needs=(Need("libfake-dev", library="libvarstudyfake.so.1"), Need("sh", command="sh"), Need("z", "zz-no"))
    )
    assert refused(lacking) == "fake: libfake-dev and z must be there: apt install libfake-dev z"


def test_too_small_a_disk_is_told_beforehand(empty: Environment) -> None:
    sentence = refused(replace(empty, megabytes=10**9))
    assert sentence.startswith("fake: it needs 1500000000 MB of disk, ")
    assert not making.folder(empty).exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up(empty: Environment, number: int) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    assert "the disk is full" in refused(empty, functools.partial(environments.install, create=full))


def test_a_folder_that_cannot_be_made(empty: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "cannot be used (Not a directory)" in refused(empty)


def test_two_processes_do_not_make_the_same(empty: Environment) -> None:
    making.root().mkdir(parents=True)
    said: list[str] = []
    got: list[Any] = []
    with (making.root() / ".fake.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: got.append(environments.install(empty, said.append)))
        waiting.start()
        end = time.monotonic() + 30
        while not said and time.monotonic() < end:
            time.sleep(0.01)
        assert said == ["fake: another process is making it; waiting for that"]
        python = making.interpreter(empty)
        python.parent.mkdir(parents=True)
        python.write_text("")
        marker = {"digest": empty.digest(), "packages": {"made": "by the other"}}
        (making.folder(empty) / making.MARKER).write_text(json.dumps(marker))
        assert got == []
    waiting.join(timeout=30)
    assert got[0].packages == {"made": "by the other"}
    assert len(said) == 1


def test_an_interruption_leaves_no_mark_and_no_installer(empty: Environment, tmp_path: Path) -> None:
    """Ctrl-C while pip runs: pip is gone, and nothing says that the environment is whole."""
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid.part\nmv {tmp_path}/pid.part {tmp_path}/pid\nsleep 600\n")
    slow.chmod(0o755)
    code = f"""
from varstudy.survey.environments import Environment, install, pythons
pythons.uv = lambda: {str(slow)!r}
install(Environment("fake", {HERE!r}, ("varstudy_fake==1.0",)))
"""
    driver = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < end:
            time.sleep(0.02)
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)
        assert gone(int((tmp_path / "pid").read_text()))
        assert environments.installed(empty) is None
    finally:
        driver.kill()
        driver.communicate()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: none)",
            "the package index has no a==1 for Python 3.8 on this machine, or does not answer: it was not",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Error: Command '[...]' returned non-zero\nensurepip is not available", "has no venv module"),
        ("/usr/bin/python3: No module named venv", "has no venv module"),
        (
            (
                "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'\n"
                "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)\n"
                "ERROR: No matching distribution found for torch==2.13.0"
            ),
            "the package index does not answer",
        ),
        (
            (
                "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: 2)\n"
                "ERROR: No matching distribution found for a==1"
            ),
            "the package index has no a==1 for Python 3.8 on this machine: it was not",
        ),
        ("  × No solution found\n  ╰─▶ Because there is no version of b==3 and you require b==3", "has no b==3"),
        ("error: Request failed: dns error: failed to lookup address information", "does not answer"),
        ("npm ERR! code ENOTFOUND", "does not answer"),
        ("one\nERROR: something new\nlast", "the installer failed (ERROR: something new)"),
        ("", "the installer failed (it printed nothing)"),
    ],
)
def test_what_an_installer_prints_becomes_a_sentence(text: str, sentence: str) -> None:
    found = failures.explain(text, "name", "3.8")
    assert found.startswith("name: ")
    assert sentence in found
    assert "\n" not in found


def test_pythons_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PATH first; a shim that does not run is passed over; then the newest of pyenv's."""
    monkeypatch.setattr(pythons, "uv", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))

    def program(path: Path, prints: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{prints}\n")
        path.chmod(0o755)
        return path

    assert pythons.find("3.99") is None
    assert pythons.find(HERE) == sys.executable
    program(tmp_path / "python3.99", "echo 'pyenv: command not found' >&2; exit 127")
    program(tmp_path / "pyenv/versions/3.99.9/bin/python", "echo 3.99")
    newest = program(tmp_path / "pyenv/versions/3.99.10/bin/python", "echo 3.99")
    assert pythons.find("3.99") == str(newest)
    on_path = program(tmp_path / "python3", "echo 3.99")
    assert pythons.find("3.99") == str(on_path)


def test_a_library_of_the_system_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "LIBRARIES", (f"{tmp_path}/*-here", str(tmp_path)))
    assert declaring.library("libfake.so.1") is None
    (tmp_path / "x-here").mkdir()
    (tmp_path / "x-here" / "libfake.so.1").write_text("")
    assert declaring.library("libfake.so.1") == tmp_path / "x-here" / "libfake.so.1"
    assert Need("fake", library="libfake.so.1").met()


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("readelf")), reason="makes libraries with gcc")
def test_empty_libraries_serve_in_place_of_missing_ones(tmp_path: Path, script: Any) -> None:
    """A library that wants two of others loads with the empty ones, and not without."""
    for name, function in (("libfirst.so.1", "one"), ("libsecond.so.2", "two")):
        (tmp_path / f"{name}.c").write_text(f"int {function}(void) {{ return 7; }}")
        (tmp_path / f"{name}.map").write_text(f"{name} {{ global: *; }};")
        options = [f"-Wl,-soname,{name}", f"-Wl,--version-script,{name}.map"]
        subprocess.run(["gcc", "-shared", *options, "-o", name, f"{name}.c"], cwd=tmp_path, check=True)
    (tmp_path / "user.c").write_text("int one(void); int two(void); int ask(void) { return 10 * one() + two(); }")
    words = ["gcc", "-shared", "-fPIC", "-o", "user.so", "user.c", "./libfirst.so.1", "./libsecond.so.2"]
    subprocess.run(words, cwd=tmp_path, check=True)
    for name in ("libfirst.so.1", "libsecond.so.2"):
        (tmp_path / name).unlink()
    path = script(f"import ctypes\nanswer(ctypes.CDLL({str(tmp_path / 'user.so')!r}).ask())")
    assert child.run(sys.executable, path, seconds=60).kind == "failed"
    stubs.make(tmp_path / "user.so", ["libfirst.so.1", "libsecond.so.2"], tmp_path / "links")
    assert sorted(each.name for each in (tmp_path / "links").iterdir()) == ["libfirst.so.1", "libsecond.so.2"]
    variables = {"LD_LIBRARY_PATH": str(tmp_path / "links")}
    assert child.run(sys.executable, path, seconds=60, variables=variables).answer == 11

"""PostgreSQL's variances: a cluster of its own in a temporary folder, asked by psql; as a user that is not root."""

import atexit
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import numpy as np
from function_contract import only

STATE = {}


def binary(name):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name))
    path = found[-1] if found else shutil.which(name)
    if not path:
        raise ImportError(f"PostgreSQL's {name} is not installed here")
    return path


def user():
    """Who runs the server, which refuses root: words before each command."""
    if os.geteuid():
        return [], os.geteuid()
    for name in ("postgres", "nobody"):
        try:
            return ["runuser", "-u", name, "--"], pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise ImportError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def start():
    before, uid = user()
    folder = tempfile.mkdtemp(prefix="varstudy-postgresql-")
    os.chown(folder, uid, -1)
    run = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    atexit.register(shutil.rmtree, folder, True)
    subprocess.run(before + [binary("initdb"), "-D", folder + "/data", "-A", "trust", "-U", "v"], **run)
    settings = ["-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    # Not by pg_ctl, which would give it a session of its own, where it could outlive this process.
    server = subprocess.Popen(
        before + [binary("postgres"), "-D", folder + "/data"] + settings,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)
    psql = [binary("psql"), "-h", folder, "-U", "v", "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1"]
    for _ in range(100):
        if subprocess.run(psql + ["-c", "SELECT 1"], **dict(run, check=False)).returncode == 0:
            STATE["psql"] = psql
            return
        time.sleep(0.1)
    raise RuntimeError("the server of PostgreSQL did not start within 10 s")


def ask(text):
    if not STATE:
        start()
    done = subprocess.run(STATE["psql"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[0])
    return done.stdout.strip()


def versions():
    return {"postgresql": ask("SHOW server_version;").split()[0], "numpy": np.__version__}


def aggregate(name, fixed):
    def call(x, storage, ddof):
        only(ddof, fixed)
        kind = {"float32": "real", "float64": "double precision"}[storage]
        lines = "\n".join(map(repr, x.astype(np.float64).tolist()))
        lines = lines.replace("inf", "Infinity").replace("nan", "NaN")
        table = f"CREATE TEMP TABLE held (x {kind});\n"
        copied = "COPY held FROM STDIN;\n" + (lines + "\n" if lines else "") + "\\.\n"
        text = table + copied
        found = ask(text + f"SELECT {name}(x), pg_typeof({name}(x)) FROM held;\n").split("|")
        if not found[0]:
            return None
        return {"real": np.float32}.get(found[1], np.float64)(found[0])

    return call


FUNCTIONS = {
    "var_pop": aggregate("var_pop", 0),
    "var_samp": aggregate("var_samp", 1),
    "variance": aggregate("variance", 1),
}

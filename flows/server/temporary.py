"""The temporary Prefect server of a run without one."""

from __future__ import annotations

import atexit
import subprocess
import sys

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

_GUARD = """
import os, signal, sys
sys.stdin.read()  # until the process at the other end is gone
os.kill(int(sys.argv[1]), signal.SIGTERM)
"""


def start_temporary_server() -> None:
    """Start Prefect's temporary server, unless the user has one; it ends with this process.

    Prefect ends it at a regular exit alone: without more, a killed run would leave it behind.
    """
    if PREFECT_API_URL.value():
        return
    server = SubprocessASGIServer()
    server.start()
    assert server.server_process is not None  # noqa: S101 - it was just started
    guard = subprocess.Popen(  # noqa: S603 - fixed arguments
        [sys.executable, "-I", "-S", "-c", _GUARD, str(server.server_process.pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for the run, which then ends regularly
    )
    atexit.register(guard.kill)

"""The temporary Prefect server of a run without one."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import prefect
from prefect.context import refresh_global_settings_context
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
)

from backhaul.environment import without_secrets
from flows.server.database import set_damaged_database_aside

POLL_S = 0.05
ANSWER_S = 10.0
STOP_S = 5.0

_GUARD = Path(__file__).with_name("guard.py")


class TemporaryServer:
    """A Prefect server in a process of its own, which ends with this one in any case.

    Prefect's own class for it imports the whole server here as well, which takes as long as all
    else that a cached run does.
    """

    def __init__(self) -> None:
        host, port = self._address = ("127.0.0.1", _free_port())
        self.api = f"http://{host}:{port}/api"
        self._guard = subprocess.Popen(  # noqa: S603 - fixed arguments
            [
                *(sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(STOP_S)),
                *(sys.executable, "-m", "uvicorn", "--app-dir", _site_packages()),
                *("--factory", "prefect.server.api.server:create_app"),
                *("--host", host, "--port", str(port)),
                *("--log-level", "error", "--lifespan", "on"),
            ],
            env=_environment(),
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the run, which then ends regularly
        )
        atexit.register(self.stop)

    def wait(self) -> None:
        """Wait until it takes requests.

        Raises:
            RuntimeError: If it does not start; it has said why on standard error.
        """
        until = time.monotonic() + PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        while not self._answers():
            if (code := self._guard.poll()) is not None:
                raise RuntimeError(f"Prefect's temporary server did not start (exit {code})")
            if time.monotonic() > until:
                raise RuntimeError("Prefect's temporary server does not answer")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop it, and wait until it is gone."""
        atexit.unregister(self.stop)
        self._guard.terminate()  # the pipe may be open in a process that a user's code forked
        self._guard.communicate()

    def _answers(self) -> bool:
        connection = HTTPConnection(*self._address, timeout=ANSWER_S)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


_begun: list[TemporaryServer] = []


def begin_temporary_server() -> None:
    """Begin to start a temporary server, unless the user has one or it has begun."""
    if not _begun and not PREFECT_API_URL.value():
        set_damaged_database_aside()
        _begun.append(TemporaryServer())


def use_temporary_server() -> None:
    """Let the temporary server be that of this process, unless the user has one.

    Raises:
        RuntimeError: If it does not start.
    """
    begin_temporary_server()
    for server in _begun:
        server.wait()
        os.environ.update(PREFECT_API_URL=server.api, PREFECT_UI_URL="")  # it has no UI
        refresh_global_settings_context()


def is_temporary() -> bool:
    """Return whether nobody but this process sees its Prefect server."""
    return any(PREFECT_API_URL.value() == server.api for server in _begun)


def _environment() -> dict[str, str]:
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    own = {
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    return without_secrets(os.environ) | own | settings


def _site_packages() -> str:
    return str(Path(prefect.__file__).parents[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

"""Services for tests: nothing of them is left, even where the tests are killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from deployments.local.service import Service

ROOT = Path(__file__).resolve().parents[1]

S = TypeVar("S", bound=Service)


@contextmanager
def asking(url: str, login: str | None) -> Iterator[None]:
    """Meanwhile, this process asks the Prefect server at `url`.

    Nothing that sends events there is left: it would keep for itself, without end, what later
    tests send to another server.
    """
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    key = None if login is None else SecretStr(login)
    send_last_events()
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: key}):
        try:
            yield
        finally:
            send_last_events()


def send_last_events() -> None:
    """Send the events that wait, for a while: Prefect would wait without end."""
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=20)
    EventsWorker._instances.clear()  # type: ignore[misc] # of all kinds


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Meanwhile, whoever ends us ends the services in subfolders of this one, too."""
    watchdog = [sys.executable, "-m", "deployments.local.watchdog", str(folder)]
    with subprocess.Popen(watchdog, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True):
        yield


@contextmanager
def running(service: S) -> Iterator[S]:
    """Meanwhile the service runs; nothing else may have a folder beside its folder."""
    with guarded(service.folder.parent):
        try:
            service.start()
            yield service
        finally:
            service.kill()

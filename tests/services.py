"""Services for tests: nothing of them is left, even where the tests are killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from deployments.local.service import Service

ROOT = Path(__file__).resolve().parents[1]

S = TypeVar("S", bound=Service)


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

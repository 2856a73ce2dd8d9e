"""The Python environment of Label Studio, beside ours: what both need differs in versions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backhaul.environment import without_secrets
from backhaul.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".labelling"
PINNED = Path(__file__).with_name("labelling.txt")
_LAST_LINES = 5


def program() -> Path:
    """Return the program of Label Studio; its environment is made the first time.

    That takes minutes, and a gigabyte. A start that was cut off is made good by the next.

    Raises:
        InputError: If packages cannot be installed here; it says why.
    """
    ENVIRONMENT.mkdir(exist_ok=True)
    (ENVIRONMENT / ".gitignore").write_text("*\n")
    with _alone(ENVIRONMENT / ".lock"):
        done, digest = ENVIRONMENT / ".ready", _digest()
        if not done.exists() or done.read_text() != digest:
            done.unlink(missing_ok=True)
            _make(ENVIRONMENT / "log")
            done.write_text(digest)
    return ENVIRONMENT / "bin" / "label-studio"


def is_made() -> bool:
    """Return whether the environment is there, as `labelling.txt` asks for it."""
    done = ENVIRONMENT / ".ready"
    return done.exists() and done.read_text() == _digest()


def _digest() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(version.encode() + PINNED.read_bytes()).hexdigest()


def _make(log: Path) -> None:
    pip = (*("-m", "pip", "install", "--disable-pip-version-check"), "-r", str(PINNED))
    python = str(ENVIRONMENT / "bin" / "python")
    with log.open("w") as output:
        for command in ((sys.executable, "-m", "venv", str(ENVIRONMENT)), (python, *pip)):
            done = subprocess.run(
                command,
                env=without_secrets(os.environ, keep="PIP_"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
            if done.returncode != 0:
                last = "\n".join(log.read_text().splitlines()[-_LAST_LINES:])
                raise InputError(f"Label Studio cannot be installed here, see {log}:\n{last}")


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let one process at a time make the environment."""
    with place.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

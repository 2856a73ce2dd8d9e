"""Python environments beside ours, of programs that need other versions of some packages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backhaul.environment import without_secrets
from backhaul.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
_LAST_LINES = 5


@dataclass(frozen=True)
class Beside:
    """An environment beside ours.

    Args:
        title: Whose it is.
        folder: Where it lies.
        pinned: The file with all its packages and their versions.
    """

    title: str
    folder: Path
    pinned: Path

    def program(self, name: str) -> Path:
        """Return where a program of it lies, once it is made."""
        return self.folder / "bin" / name

    def make(self) -> None:
        """Make the environment, unless it is there.

        That takes minutes, and a gigabyte. A start that was cut off is made good by the next.

        Raises:
            InputError: If packages cannot be installed here; it says why.
        """
        self.folder.mkdir(exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n")
        with _alone(self.folder / ".lock"):
            if not self.is_made:
                self._ready.unlink(missing_ok=True)
                self._make(self.folder / "log")
                self._ready.write_text(self._digest)

    @property
    def is_made(self) -> bool:
        """Whether the environment is there, as `pinned` asks for it."""
        return self._ready.exists() and self._ready.read_text() == self._digest

    @property
    def _ready(self) -> Path:
        return self.folder / ".ready"

    @property
    def _digest(self) -> str:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return hashlib.sha256(version.encode() + self.pinned.read_bytes()).hexdigest()

    def _make(self, log: Path) -> None:
        pip = (*("-m", "pip", "install", "--disable-pip-version-check"), "-r", str(self.pinned))
        python = str(self.folder / "bin" / "python")
        with log.open("w") as output:
            for command in ((sys.executable, "-m", "venv", str(self.folder)), (python, *pip)):
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
                    raise InputError(
                        f"{self.title} cannot be installed here, see {log}:\n{last}"
                    )


LABELLING = Beside(
    "Label Studio", ROOT / ".labelling", Path(__file__).with_name("labelling.txt")
)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let one process at a time make the environment."""
    with place.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

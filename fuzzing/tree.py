"""Folders to be written: the files of an input, and what may lie in place of a file."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from enum import Enum
from pathlib import Path
from typing import TypeAlias

OTHERS = "outside/secret.txt"
"""A file of somebody else's, beside the folder of the input."""

CANARY = "k9-canary"
"""A word in each of its lines, which no message may repeat."""


class Odd(Enum):
    """What lies in place of a file."""

    FIFO = "a pipe that nobody writes to"
    SOCKET = "a socket"
    DEVICE = "a link to a device without an end"
    FOLDER = "a folder"
    DANGLING = "a link to nothing"
    LOOP = "a link to itself"
    OUTSIDE = "a link to a file of somebody else's"
    FORBIDDEN = "a file that may not be read"
    GONE = "nothing"


Tree: TypeAlias = dict[str, bytes | Odd]
"""Contents by the path below the folder, with ``/``."""


def kept_folder() -> Path:
    """Return a new folder that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="backhaul-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def write_tree(tree: Tree, folder: Path) -> None:
    """Write an input into a new folder, and the secret beside it."""
    secret = folder.parent / OTHERS
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("".join(f"{CANARY}:{n}:x {CANARY}-{n}\n" for n in range(9)))
    folder.mkdir()
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Odd):
            _make(content, path, secret)
        else:
            path.write_bytes(content)


def _make(kind: Odd, path: Path, secret: Path) -> None:
    links = {
        Odd.DEVICE: "/dev/zero",
        Odd.DANGLING: "not there",
        Odd.LOOP: path.name,
        Odd.OUTSIDE: str(secret),
    }
    if kind in links:
        path.symlink_to(links[kind])
    elif kind is Odd.FIFO:
        os.mkfifo(path)
    elif kind is Odd.SOCKET:
        _bind(path)
    elif kind is Odd.FOLDER:
        path.mkdir()
    elif kind is Odd.FORBIDDEN:
        path.write_bytes(b"x")
        path.chmod(0)


def _bind(path: Path) -> None:
    """Make a socket; from within its folder, as addresses are short."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)

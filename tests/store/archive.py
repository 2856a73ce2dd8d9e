"""A store in one file, with what a copy would lose: times of files, versions of libraries."""

from __future__ import annotations

import json
import os
import tarfile
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

ABOUT = "about.json"
LIBRARIES = ("faster-coco-eval", "iterative-stratification", "opencv-python", "pillow")
"""Distributions whose version enters keys of the stages that were run."""


def pack(store: Path, archive: Path) -> None:
    """Put a store into an archive that is not there yet.

    Args:
        store: Its root.
        archive: A file ``.tar.xz``.
    """
    files = sorted(path for path in store.rglob("*") if path.is_file())
    names = [path.relative_to(store).as_posix() for path in files]
    times = [path.stat().st_mtime_ns for path in files]
    about = {
        "times": dict(zip(names, times, strict=True)),
        "versions": {name: metadata.version(name) for name in LIBRARIES},
    }
    content = json.dumps(about, indent=1).encode()
    with tarfile.open(archive, "x:xz") as packed:
        entry = tarfile.TarInfo(ABOUT)
        entry.size = len(content)
        packed.addfile(entry, BytesIO(content))
        for path, name in zip(files, names, strict=True):
            packed.add(path, f"store/{name}", filter=_anonymous)


def unpack(archive: Path, folder: Path) -> Path:
    """Return the store that was packed, in a folder, with the times that its files had."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    for name, time_ns in _about(folder)["times"].items():
        os.utime(folder / "store" / name, ns=(time_ns, time_ns))
    return folder / "store"


def versions_of(folder: Path) -> dict[str, str]:
    """Return the versions of libraries with which the unpacked store was made."""
    versions: dict[str, str] = _about(folder)["versions"]
    return versions


def _about(folder: Path) -> Any:
    return json.loads((folder / ABOUT).read_text())


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry

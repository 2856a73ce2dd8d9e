"""Files that their owner alone may read: written whole or not at all, read only if private."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from backhaul.untrusted import FilePath, UnreadableFileError, open_file, user_path
from backhaul.uplink.resume import sync_folder, synced

MODE = 0o600
_MOST_BYTES = 2**16


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner may read, at no moment.

    Whenever the process or the power ends, the file is the one before or the new one, whole.

    Args:
        path: The file; of a link, the file that it leads to is replaced.
        text: What it says.

    Raises:
        OSError: If the disk does not take it; the file before stays.
    """
    place = path.resolve()
    draft = place.with_name(f".{place.name}.new")
    draft.unlink(missing_ok=True)  # of a process that was ended
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            synced(file)
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        error.filename = str(place)  # a full disk names none
        raise
    sync_folder(place.parent)


def read_private(path: FilePath) -> str:
    """Return the text of a file that its owner alone may read.

    Raises:
        UnreadableFileError: If it cannot be read, or others may read it. It repeats nothing.
    """
    place = user_path(path)
    with open_file(place, _MOST_BYTES) as file:
        status = os.fstat(file.fileno())
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnreadableFileError(place, f"others may read it: chmod 600 {place}")
    return text

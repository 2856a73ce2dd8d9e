"""The folder that a page of thumbnails is written into."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from backhaul.errors import InputError
from backhaul.untrusted import read_bytes

MARKER = "backhaul-view.json"
SCHEMA = 1
_MOST_BYTES = 10_000


def view_folder(out: Path, kept_out_of: Iterable[str]) -> Path:
    """Return the folder to write a page into, which nothing is lost in.

    Args:
        out: The folder that was asked for.
        kept_out_of: Folders that nothing is written into: those of the data, or of the run.

    Raises:
        InputError: If it lies in one of these, or holds anything but an earlier page.
    """
    folder = out.resolve()
    for place in kept_out_of:
        other = Path(place).resolve()
        if folder == other or other in folder.parents:
            raise InputError(
                f"{out}: lies in {place}, which nothing is written into; expected another "
                "folder (--out)"
            )
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise InputError(f"{out}: is a file, expected a new folder (--out)")
    if any(folder.iterdir()) and not _is_ours(folder):
        raise InputError(
            f"{out}: holds other files than an earlier view, expected a new folder (--out)"
        )
    if (folder / "thumbnails").is_symlink():
        raise InputError(f"{out}/thumbnails: is a link, expected a folder of the view")
    return folder


def marker() -> bytes:
    """Return the content of the file by which a folder is known as a view."""
    return json.dumps({"type": "backhaul data view", "schema": SCHEMA}).encode()


def _is_ours(folder: Path) -> bool:
    try:
        found = json.loads(read_bytes(folder / MARKER, _MOST_BYTES))
    except (InputError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "backhaul data view"

"""What is on this disk under a path, also where a name differs in its Unicode form."""

from __future__ import annotations

import os

from backhaul.data.filenames import one_form
from backhaul.data.images import ImageReader

_MOST_KEPT = 100_000


class Disk:
    """Finds files and folders by their paths, in any Unicode form.

    Folders are looked at once, so that the lines of a long list are cheap that lead nowhere.

    Args:
        reader: Says where the data set may read.
    """

    def __init__(self, reader: ImageReader) -> None:
        self._reader = reader
        self._folders: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, dict[str, list[str]]] = {}

    def at(self, path: str) -> tuple[str, ...]:
        """Return what is there under exactly `path`, else all with its name in another form.

        Args:
            path: Absolute, without ``..``.
        """
        folder, _, name = path.rpartition("/")
        if not self._reader.may_read(path):
            return ()
        folders = self._at_folder(folder)
        if folders[:1] == (folder,) and os.path.exists(path):
            return (path,)
        if path.isascii():
            return ()
        wanted = one_form(name)
        found = (f"{each}/{other}" for each in folders for other in self._in(each, wanted))
        return tuple(filter(os.path.exists, found))

    def has_folder(self, path: str) -> bool:
        """Return whether there is a folder, by its name in any form."""
        return bool(self._at_folder(path))

    def _at_folder(self, folder: str) -> tuple[str, ...]:
        """Return the folders that a path may mean, that of exactly its name first."""
        if folder not in self._folders:
            if len(self._folders) >= _MOST_KEPT:
                self._folders.clear()
            own = (folder,) if os.path.isdir(folder or "/") else ()
            self._folders[folder] = own + tuple(
                each for each in self._in_other_form(folder) if os.path.isdir(each)
            )
        return self._folders[folder]

    def _in_other_form(self, path: str) -> list[str]:
        if path.isascii():
            return []
        folder, _, name = path.rpartition("/")
        wanted = one_form(name)
        found = (
            f"{each}/{other}"
            for each in self._at_folder(folder)
            for other in self._in(each, wanted)
        )
        return [each for each in found if each != path]

    def _in(self, folder: str, wanted: str) -> list[str]:
        """Return the names in a folder that are `wanted` in one form."""
        if folder not in self._names:
            names = self._names[folder] = {}
            for name in sorted(os.listdir(folder or "/")) if self._may_list(folder) else ():
                names.setdefault(one_form(name), []).append(name)
        return self._names[folder].get(wanted, [])

    def _may_list(self, folder: str) -> bool:
        return self._reader.may_read(folder) and os.access(folder or "/", os.R_OK | os.X_OK)

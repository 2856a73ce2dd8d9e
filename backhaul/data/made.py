"""Data sets that are made below a store, as the demo's scenes are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backhaul.data.digits import digits_recipe
from backhaul.data.images import OnProgress
from backhaul.data.settings import Data, DigitsData, FolderData, InboxData, MadeData
from backhaul.data.streams.names import GROUP_PATTERN
from backhaul.data.streams.writing import stream_recipe
from backhaul.data.wholefolder import Recipe, is_whole, write_whole
from backhaul.errors import InputError
from backhaul.identity import content_digest
from backhaul.layout import made_place
from backhaul.storage.addresses import absolute, is_local
from backhaul.storage.conditional import read_or_none
from backhaul.storage.damaged import set_aside
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.objects import exists_at, put_file
from backhaul.storage.scratch import scratch_folder


@dataclass(frozen=True, slots=True)
class Made:
    """A data set that is made below a store.

    Args:
        folder: Where it lies, or will, and how it is read.
        recipe: How it is made.
    """

    folder: FolderData
    recipe: Recipe

    @property
    def is_there(self) -> bool:
        """Whether it was made; its files are not looked at."""
        return exists_at(f"{self.folder.root}/{self.recipe.record}")

    @property
    def is_whole(self) -> bool:
        """Whether it was made and, on this disk, has its files as they were written."""
        place = self.folder.root
        return self.is_there and (not is_local(place) or is_whole(Path(place), self.recipe))

    def make(self, on_progress: OnProgress) -> None:
        """Make it, unless it is whole; what is left of a damaged one is set aside.

        Args:
            on_progress: Called while files are put into an object store.
        """
        place = self.folder.root
        if not is_local(place):
            self._upload(on_progress)
            return
        if Path(place).exists() and not self.is_whole:
            set_aside(place, "these scenes are damaged")
        write_whole(Path(place), self.recipe)

    def _upload(self, on_progress: OnProgress) -> None:
        """Upload it, its record last: an upload without it counts as incomplete."""
        place, record = self.folder.root, self.recipe.record
        if read_or_none(f"{place}/{record}") == self.recipe.settings.encode():
            return
        with scratch_folder() as folder_here:
            whole = folder_here / "whole"
            write_whole(whole, self.recipe)
            paths = [
                path for path in whole.rglob("*") if path.is_file() and path.name != record
            ]

            def put(path: Path) -> None:
                put_file(path, f"{place}/{path.relative_to(whole).as_posix()}")

            with ThreadPoolExecutor(TRANSFERS) as threads:
                for done, _ in enumerate(threads.map(put, paths), start=1):
                    on_progress(done, len(paths))
            put(whole / record)


def made_set(data: MadeData, seed: int, root: str) -> Made:
    """Return a data set that is made, and where below `root`.

    Args:
        data: Its settings.
        seed: Of the campaign; each has a stream of its own, and all have the same digits.
        root: Root of the store.

    Raises:
        InputError: If the folder that a stream is made of is not there.
    """
    store = absolute(root)
    if isinstance(data, DigitsData):
        place = made_place(store, f"digits-{content_digest(data)}")
        return Made(FolderData(root=place, format="yolo"), digits_recipe(data))
    recipe = stream_recipe(data, seed, store)
    place = made_place(store, f"stream-{content_digest(recipe.settings)}")
    folder = FolderData(root=place, format="yolo", group_pattern=GROUP_PATTERN)
    return Made(folder, recipe)


def data_folder(data: Data, seed: int, root: str, on_progress: OnProgress) -> FolderData:
    """Return where the data set is stored; one that is made is first made below `root`.

    Args:
        data: The data set.
        seed: Of the campaign.
        root: Root of the store.
        on_progress: Called while files are put into an object store.

    Raises:
        InputError: If images arrive in an inbox, hour by hour.
    """
    if isinstance(data, FolderData):
        return data
    if isinstance(data, InboxData):
        raise InputError("data.kind inbox: is for the flow hourly")
    made = made_set(data, seed, root)
    made.make(on_progress)
    return made.folder

"""What `backhaul data view` was given: a data set, or a run of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backhaul.campaign.importing import run_folders
from backhaul.campaign.runrecords import runs_of
from backhaul.cli.address import resolved
from backhaul.cli.runplace import find_stored, remote_pictures
from backhaul.data.formats import DataReport
from backhaul.errors import InputError
from backhaul.layout import run_at
from backhaul.report.gallery import Gallery, gallery_of_data_set, gallery_of_run
from backhaul.storage.addresses import is_local
from backhaul.storage.folders import plain_place
from backhaul.untrusted import user_path

if TYPE_CHECKING:
    from backhaul.report.shrinking import Fetch


@dataclass(frozen=True)
class Viewed:
    """What a page of thumbnails is written of.

    Args:
        name: The folder of the page is named after it.
        kept_out_of: Folders that the page is not written into.
        read: Reads it.
        fetch: Reads images in object stores.
    """

    name: str
    kept_out_of: tuple[str, ...]
    read: Callable[[], Gallery]
    fetch: Fetch


def data_set_to_view(place: str, read: Callable[[], DataReport]) -> Viewed:
    """Return the data set in a folder or at an address.

    Args:
        place: What was given.
        read: Reads it.

    Raises:
        InputError: If there is none.
    """
    remote = not is_local(place)
    if not remote and not user_path(place).is_dir():
        raise InputError(f"{place}: no folder there, and no run of that name")
    root = resolved(place.rstrip("/")) if remote else plain_place(user_path(place))
    name = root.rpartition("/")[2] if remote else Path(root).resolve().name
    return Viewed(
        name=name or "data",
        kept_out_of=() if remote else (root,),
        read=lambda: gallery_of_data_set(read(), name or "data", root),
        fetch=remote_pictures((place,) if place.startswith("block://") else ()),
    )


def find_run_to_view(place: str) -> Viewed | None:
    """Return the run that `place` is; of several seeds the first. None for a data set's place.

    A folder that holds no run is a data set, also where a run has its name.

    Raises:
        InputError: If the run came without its store.
    """
    if not _is_run(place):
        return None
    records, *_ = runs_of(find_stored(place))
    data = records.config.get("data")
    root = data.get("root") if isinstance(data, dict) else None
    places = (records.files.view.folder, *([root] if isinstance(root, str) else []))
    return Viewed(
        name=records.files.name.replace("/", "-"),
        kept_out_of=tuple(each for each in places if is_local(each)),
        read=lambda: gallery_of_run(records),
        fetch=remote_pictures(records.beginning.blocks),
    )


def _is_run(place: str) -> bool:
    if not is_local(place):
        return _has_begun(resolved(place.rstrip("/")))
    folder = user_path(place)
    places = (folder,) if folder.is_dir() else (folder, Path("runs") / place)
    return any(_has_begun(str(each)) or bool(run_folders(each)) for each in places)


def _has_begun(folder: str) -> bool:
    files = run_at(folder)
    return files is not None and bool(runs_of(files))

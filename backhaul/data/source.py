"""Reading of a campaign's data set, from a folder or an object store."""

from __future__ import annotations

import hashlib
import os

from backhaul.data.formats import DataReport, read, sources
from backhaul.data.images import ImageReader, Look, OnProgress, at_header, at_pixels
from backhaul.data.memory import Memory
from backhaul.data.room import processors
from backhaul.data.settings import FolderData
from backhaul.identity import content_digest
from backhaul.layout import made_place
from backhaul.storage.addresses import absolute, is_local
from backhaul.storage.folders import plain_place
from backhaul.values.images import ImageSet

READING = 3
"""Raise it whenever files of others are read otherwise than before, so that they are again."""


def fingerprint(data: FolderData, root: str) -> str:
    """Return a digest of all files of a data set: names, sizes, and times of change or ETags.

    It tells whether the data set must be read again, without reading it. Names are relative to
    the data set's folder. Where that is enters as well, relative to the store if it is there:
    a data set may name images outside its folder, by places that only reading it tells.

    Args:
        data: The data set.
        root: Root of the store.
    """
    store, place = absolute(root), absolute(data.root)
    digest = hashlib.sha256(f"{place.removeprefix(f'{store}/')}\0".encode())
    if not place.startswith(made_place(store)):  # ours, which all versions read alike
        digest.update(f"{READING}\0".encode())
    if not is_local(data.root):
        from backhaul.data.remote import fingerprint_remote

        digest.update(fingerprint_remote(data.root).encode())
        return digest.hexdigest()
    below = f"{plain_place(data.root)}/"
    for path in sources(data):
        try:
            status = os.stat(path)  # noqa: PTH116 - 200,000 Path objects are slow
        except OSError:  # gone, or no file: reading says what is wrong with it
            continue
        name = path.removeprefix(below)
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def place_outside(data: FolderData, root: str) -> str | None:
    """Return where a data set lies, as places of its images begin; None if in the store.

    Args:
        data: The data set.
        root: Root of the store.
    """
    # not resolved: places of images come through links as the config does
    place = plain_place(data.root) if is_local(data.root) else data.root
    return None if f"{place}/".startswith(f"{absolute(root)}/") else place


def data_set_digest(images: ImageSet, place: str) -> str:
    """Return what identifies the images of a data set, wherever it lies.

    Args:
        images: The data set as it was read.
        place: Where it lies.
    """
    paths = (uri.removeprefix(f"{place}/") for uri in images.table["uri"])
    return content_digest(sorted(zip(images.ids, paths, strict=True)))


def read_anywhere(
    data: FolderData,
    on_progress: OnProgress,
    on_labels: OnProgress,
    memory: Memory | None = None,
    look: Look = at_pixels,
) -> DataReport:
    """Return a data set from a folder or an address.

    Args:
        data: The data set.
        on_progress: Called while images are read.
        on_labels: Called while the files with labels of one at an address are fetched.
        memory: What was seen in images before, which need no second look.
        look: How an image is looked at.

    Raises:
        InputError: If there is no data set to speak of.
    """
    if is_local(data.root):
        # More threads than decode at a time wait for each other's Python: a third slower.
        at_once = 1 if look is at_header else processors()
        reader = ImageReader(at_once=at_once, on_progress=on_progress, memory=memory, look=look)
        return read(data, reader)
    from backhaul.data.remote import read_remote

    return read_remote(data, on_progress, on_labels, memory, look)

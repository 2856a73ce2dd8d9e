"""Copy image files from the store to the local disk, and back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backhaul.storage.localcopies import local_image
from backhaul.storage.objects import write_bytes
from backhaul.values.images import ImageSet

TRANSFERS = 8
"""Files on their way at once; more would not fill a link of 1 Gbit/s any better."""


def localise(images: ImageSet, folder: Path) -> ImageSet:
    """Return `images` with paths on this disk as their uris; remote files are downloaded.

    Augmented copies may have equal content, and so one file.

    Raises:
        MissingObjectError: If an image is gone.
        CorruptArtifactError: If a remote one has another content by now.
    """
    ids = dict(zip(images.table["uri"], images.table["image_id"], strict=True))

    def fetch(uri: str) -> str:
        return local_image(uri, ids[uri], folder).as_posix()

    with ThreadPoolExecutor(TRANSFERS) as threads:
        paths = dict(zip(ids, threads.map(fetch, ids), strict=True))
    return ImageSet(
        images.table.assign(uri=[paths[uri] for uri in images.table["uri"]]), images.class_names
    )


def store_images(root: str, images: ImageSet) -> ImageSet:
    """Return `images` with their files stored as objects and their uris pointing there."""

    def put(uri: str) -> str:
        path = Path(uri)
        return write_bytes(root, path.read_bytes(), path.suffix).uri

    with ThreadPoolExecutor(TRANSFERS) as threads:
        uris = list(threads.map(put, images.table["uri"]))
    return ImageSet(images.table.assign(uri=uris), images.class_names)

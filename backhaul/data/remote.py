"""Read a data set in an object store without downloading its images to this disk.

The files with labels are copied to a temporary folder, with an empty file for every image, and
the reader of the format reads that folder. Images pass through memory, a few at a time.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from backhaul.data.formats import DataReport, read
from backhaul.data.formats.files import LABEL_SUFFIXES
from backhaul.data.images import (
    OTHER_IMAGE_SUFFIXES,
    ImageFile,
    ImageReader,
    Look,
    OnProgress,
    UnreadableImageError,
    at_pixels,
    is_image,
    probe_bytes,
    require_few_bytes,
)
from backhaul.data.limits import ImageLimits
from backhaul.data.memory import Memory, Version
from backhaul.data.room import FILE_BYTES
from backhaul.data.settings import FolderData
from backhaul.errors import InputError, MissingObjectError, StoreError
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.localcopies import fetch
from backhaul.storage.objects import read_uri
from backhaul.storage.places import filesystem, patiently
from backhaul.storage.scratch import scratch_folder
from backhaul.untrusted import MOST_TABLE_BYTES, TooLargeError
from backhaul.values.images import ImageSet


class Entry(NamedTuple):
    """A file of a data set: its path below the root, its length, and its ETag."""

    path: str
    size: int
    etag: str


def entries(root: str) -> list[Entry]:
    """Return the images and label files below `root`, sorted.

    Hidden ones are passed over, and those in folders without a name (``a//b``).

    Raises:
        InputError: If nothing is stored there.
    """
    found = [entry for entry in _listed(root) if _belongs(entry.path)]
    if not found:
        raise InputError(f"{root}: expected a data set, but there is no image and no label")
    return found


@patiently
def _listed(root: str) -> list[Entry]:
    fs, path = filesystem(root)
    below = f"{path.rstrip('/')}/"
    try:
        found = fs.find(path, detail=True)
    except FileNotFoundError:
        return []
    return sorted(
        Entry(name.removeprefix(below), info["size"], str(info.get("ETag", "")))
        for name, info in found.items()
        if name.startswith(below) and info["type"] == "file"
    )


def _belongs(path: str) -> bool:
    passed_over = any(not part or part.startswith(".") for part in path.split("/"))
    suffix = Path(path).suffix.lower()
    return not passed_over and (
        is_image(path) or suffix in LABEL_SUFFIXES | OTHER_IMAGE_SUFFIXES
    )


def fingerprint_remote(root: str) -> str:
    """Return a digest of the names and contents of the files of a data set.

    Raises:
        InputError: If nothing is stored there.
    """
    digest = hashlib.sha256()
    for entry in entries(root):
        digest.update("\0".join(map(str, entry)).encode() + b"\n")
    return digest.hexdigest()


def read_remote(
    data: FolderData,
    on_progress: OnProgress,
    on_labels: OnProgress,
    memory: Memory | None = None,
    look: Look = at_pixels,
) -> DataReport:
    """Return the data set at an address; the uris of its images are addresses as well.

    Args:
        data: The data set.
        on_progress: Called while images are read.
        on_labels: Called while the files with labels are fetched.
        memory: What was seen in images before; these are not fetched.
        look: How an image is looked at.

    Raises:
        InputError: If there is no data set to speak of, or a name cannot be a path here.
        StoreError: If the store cannot be used, or there is no room for the labels.
    """
    with scratch_folder() as folder:
        mirror = Mirror(data.root, f"{folder.absolute().as_posix()}/data")
        mirror.fill(entries(data.root), on_labels)
        here = data.model_copy(update={"root": mirror.folder})
        try:
            reader = ImageReader(
                mirror.probe,
                TRANSFERS,
                on_progress,
                within=mirror.folder,
                look=look,
                memory=memory,
                version=mirror.version,
            )
            return mirror.translate(read(here, reader))
        except InputError as error:
            if mirror.folder not in str(error):
                raise
            raise InputError(mirror.address_in(str(error))) from None


@dataclass(frozen=True, slots=True)
class Mirror:
    """A local folder with the labels of a remote data set, and empty files for its images.

    Args:
        root: Address of the data set.
        folder: The folder, absolute.
        sizes: Length of each file, by its path below both.
        etags: What changes with the content of each file, by its path.
    """

    root: str
    folder: str
    sizes: dict[str, int] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)

    def fill(self, found: Sequence[Entry], on_progress: OnProgress) -> None:
        """Download the labels, and create an empty file for each image.

        Raises:
            InputError: If a name cannot be a path here.
            StoreError: If the store cannot be used, or there is no room.
        """
        labels = [
            entry.path for entry in found if Path(entry.path).suffix.lower() in LABEL_SUFFIXES
        ]
        try:
            for entry in found:
                self._make(entry.path)
                self.sizes[entry.path] = entry.size
                self.etags[entry.path] = entry.etag
            with ThreadPoolExecutor(TRANSFERS) as threads:
                for done, _ in enumerate(threads.map(self._fetch, labels), start=1):
                    on_progress(done, len(labels))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StoreError(f"{self.folder}: no space is left there; set TMPDIR") from None

    def _make(self, path: str) -> None:
        target = Path(f"{self.folder}/{path}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except (FileExistsError, NotADirectoryError):
            raise InputError(
                f"{self.root}/{path}: a file and a folder have this name; rename one"
            ) from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise InputError(f"{self.root}/{path}: a name too long for a file") from None

    def _fetch(self, path: str) -> None:
        if self.sizes[path] > MOST_TABLE_BYTES:
            raise TooLargeError(f"{self.root}/{path}", self.sizes[path], MOST_TABLE_BYTES)
        fetch(f"{self.root}/{path}", Path(f"{self.folder}/{path}"))

    def version(self, path: str) -> Version | None:
        """Return the version of a remote image, given its path in the folder."""
        name = path.removeprefix(f"{self.folder}/")
        etag, size = self.etags.get(name), self.sizes.get(name, 0)
        return Version(f"{self.root}/{name}", f"{size} {etag}", size) if etag else None

    def probe(self, path: str, limits: ImageLimits, look: Look = at_pixels) -> ImageFile:
        """Return identity and size of a remote image, given its path in the folder.

        Raises:
            UnreadableImageError: If it is gone, cannot be used, or is not in the folder.
            StoreError: If the store cannot be used.
        """
        if not path.startswith(f"{self.folder}/"):
            raise UnreadableImageError(path, f"expected below {self.root}")
        size = self.sizes.get(path.removeprefix(f"{self.folder}/"), 0)
        require_few_bytes(path, size, limits)
        with FILE_BYTES.taken(size):
            try:
                data = read_uri(self.address_in(path))
            except MissingObjectError:
                raise UnreadableImageError(path, "is gone from the store") from None
            return probe_bytes(path, data, limits, look)

    def address_in(self, text: str) -> str:
        """Return `text` with the address in place of the folder."""
        return text.replace(self.folder, self.root)

    def translate(self, report: DataReport) -> DataReport:
        """Return `report` with addresses in place of paths."""
        rows, names = report.images.table, report.images.class_names
        uris = [self.address_in(uri) for uri in rows["uri"]]
        problems = tuple(
            replace(
                problem,
                path=self.address_in(problem.path),
                reason=self.address_in(problem.reason),
            )
            for problem in report.problems
        )
        return DataReport(ImageSet(rows.assign(uri=uris), names), problems, report.hashes)

"""The images that are chosen among, and how prediction files call them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from PIL.ImageFile import ImageFile as PillowImage

from backhaul.data.filenames import two_of
from backhaul.data.formats.files import scan, stem_and_suffix
from backhaul.data.headers import require_complete
from backhaul.data.images import ImageFile, ImageReader, Looked, OnProgress
from backhaul.data.pathindex import PathIndex
from backhaul.errors import InputError
from backhaul.untrusted import FilePath, one_line, user_path

LEFT_OUT = -1
"""The row of an image that is there and no candidate: unreadable, or a copy of another."""

_SHOWN = 3


@dataclass(frozen=True)
class Images:
    """The images in a folder, each content once.

    Args:
        root: The folder, as an absolute path.
        paths: Paths of all images there, sorted.
        files: Those that can be read, of copies the first; a *row* is a place among them.
        notes: What was left out, in words.
    """

    root: Path
    paths: tuple[str, ...]
    files: tuple[ImageFile, ...]
    notes: tuple[str, ...] = ()

    def row_of_text(self, name: str) -> int | None:
        """Return the row of an image by its id, path, file name, or name without suffix.

        Of a path as much counts as is there, from the file name up. `LEFT_OUT` is an image that
        is no candidate, None one that is not there.

        Raises:
            InputError: If several images have the name.
        """
        path = self.path_of_text(name)
        return None if path is None else self._row_of_path.get(path, LEFT_OUT)

    def path_of_text(self, name: str) -> str | None:
        """Return the path of the image that `row_of_text` finds, also of one that is left out.

        Raises:
            InputError: If several images have the name.
        """
        if (row := self._row_of_id.get(name)) is not None:
            return self.files[row].path
        for index in self._by_name:
            if places := index.find(name)[0]:
                return self._path_at(places, name)
        return None

    def row_of_number(self, number: int) -> int | None:
        """Return the row of the image whose name without suffix is a number, as `row_of_text`.

        Raises:
            InputError: If several images have the number.
        """
        places = self._by_number.get(number)
        if places is None:
            return None
        return self._row_of_path.get(self._path_at(places, str(number)), LEFT_OUT)

    def _path_at(self, places: Sequence[int], name: str) -> str:
        if len(places) > 1:
            two = two_of(self.paths[places[0]], self.paths[places[1]])
            raise InputError(f"which image is {one_line(name)!r}: {two}?")
        return self.paths[places[0]]

    @cached_property
    def _row_of_id(self) -> dict[str, int]:
        return {file.image_id: row for row, file in enumerate(self.files)}

    @cached_property
    def _row_of_path(self) -> dict[str, int]:
        return {file.path: row for row, file in enumerate(self.files)}

    @cached_property
    def _by_name(self) -> tuple[PathIndex, PathIndex]:
        stems = [stem_and_suffix(path)[0] for path in self.paths]
        return PathIndex(self.paths), PathIndex(stems)

    @cached_property
    def _by_number(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for place, path in enumerate(self.paths):
            stem = stem_and_suffix(path.rpartition("/")[2])[0]
            if stem.isascii() and stem.isdigit() and len(stem) <= 18:  # noqa: PLR2004 - int64
                found.setdefault(int(stem), []).append(place)
        return found


def read_images(folder: FilePath, on_progress: OnProgress) -> Images:
    """Return the images below a folder.

    Their headers are read, and their files must be whole; pixels are not decoded.

    Args:
        folder: The folder; folders below it count, hidden ones do not.
        on_progress: Called with how many are read, and how many there are.

    Raises:
        InputError: If it is no folder, or holds no image that can be read.
    """
    listing = scan(user_path(folder))
    listing.require_images()
    found: dict[str, ImageFile] = {}
    copies, broken = [], []
    for result in ImageReader(on_progress=on_progress, look=_at_structure).read(listing.images):
        if not isinstance(result, ImageFile):
            broken.append(result)
        elif result.image_id in found:
            copies.append(result.path)
        else:
            found[result.image_id] = result
    if not found:
        raise InputError(f"{folder}: no image there can be read ({broken[0]})")
    notes = [f"{error}, left out" for error in broken[:_SHOWN]]
    if len(broken) > _SHOWN:
        notes.append(f"{len(broken) - _SHOWN} more images cannot be read, left out")
    if copies:
        notes.append(f"left out, as copies of other images: {named(copies, 'file')}")
    return Images(listing.root, listing.images, tuple(found.values()), tuple(notes))


def named(names: Iterable[str], what: str) -> str:
    """Return how many things there are, with the names of the first.

    Example:
        >>> named(["a.jpg"], "file"), named(["a", "b", "c", "d"], "image")
        ("1 file ('a.jpg')", "4 images ('a', 'b', 'c', ...)")
    """
    every = list(names)
    shown = ", ".join(repr(one_line(name)) for name in islice(every, _SHOWN))
    more = ", ..." if len(every) > _SHOWN else ""
    return f"{len(every)} {what}{'s' * (len(every) > 1)} ({shown}{more})"


def _at_structure(
    image: PillowImage, data: bytes, image_id: str, declared: tuple[int, int]
) -> Looked:
    """Believe the header of a file that is whole."""
    require_complete(image, data)
    return Looked(*declared, None)

"""The files of a data set: which there are, names of classes, copies of images."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backhaul.errors import InputError
from backhaul.formats.report import Problem
from backhaul.images import is_image
from backhaul.types import ImageSet

NAMES_FILES = ("classes.txt", "obj.names")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder, as sorted absolute paths.

    Paths are strings: 200,000 of them are common, and as `Path` take five times the memory.
    """

    root: Path
    images: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]

    def of(self, *suffixes: str) -> tuple[str, ...]:
        """Return the files, images apart, with one of `suffixes` (lower case, with the dot)."""
        return tuple(path for suffix in suffixes for path in self.others.get(suffix, ()))


def scan(root: Path) -> Listing:
    """Return the files below `root`; links are followed, hidden files and folders are not.

    Raises:
        InputError: If `root` is no folder, or the name of a file is no UTF-8 text.
    """
    if not root.is_dir():
        raise InputError(f"{root}: expected the folder of a data set")
    images: list[str] = []
    others: dict[str, list[str]] = {}
    seen = set()
    for place, folders, names in os.walk(root.absolute(), followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):  # such as ._photo.jpg of macOS, which is no image
                continue
            path = _require_utf8(f"{place}/{name}")
            if is_image(name):
                images.append(path)
            else:
                others.setdefault(stem_and_suffix(name)[1].lower(), []).append(path)
    return Listing(
        root.absolute(),
        tuple(sorted(images)),
        {suffix: tuple(sorted(paths)) for suffix, paths in others.items()},
    )


def _require_utf8(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(f"{path!a}: its name is no UTF-8 text; rename it") from None
    return path


def stem_and_suffix(path: str) -> tuple[str, str]:
    """Return `path` without its suffix, and the suffix.

    Example:
        >>> stem_and_suffix("/a.b/photo.1.jpeg")
        ('/a.b/photo.1', '.jpeg')
    """
    return os.path.splitext(path)  # noqa: PTH122 - keeps the folder, which Path.stem drops


def with_folder(path: str, folder: str, other: str) -> str | None:
    """Return `path` with the last folder named `folder` renamed to `other`; None without one.

    Example:
        >>> with_folder("/images/my images/images/train/a.jpg", "images", "labels")
        '/images/my images/labels/train/a.jpg'
    """
    *folders, name = path.split("/")
    if folder not in folders:
        return None
    last = len(folders) - 1 - folders[::-1].index(folder)
    return "/".join([*folders[:last], other, *folders[last + 1 :], name])


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names in a file with one class name a line; empty lines do not count.

    Raises:
        InputError: If the file cannot be read, has no name, or has one twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected class names as UTF-8 text") from None
    return require_names(path, [line.strip() for line in lines if line.strip()])


def require_names(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return `names`.

    Raises:
        InputError: If there is none, or one is there twice; `path` is where they are from.
    """
    if not names:
        raise InputError(f"{path}: no class name")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise InputError(f"{path}: class name {name!r} is there {times} times")
    return tuple(names)


def shared_stems(images: Sequence[str]) -> list[Problem]:
    """Return a warning for each image that differs from another in its suffix alone."""
    times = Counter(stem_and_suffix(path)[0] for path in images)
    return [
        Problem(path, None, "shares its labels with an image of another suffix", "warning")
        for path in images
        if times[stem_and_suffix(path)[0]] > 1
    ]


def new_folder(folder: Path) -> None:
    """Make `folder`.

    Raises:
        InputError: If there is something in it already: nothing is ever overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InputError(f"{folder}: expected a new or empty folder")


def copy_images(folder: Path, images: ImageSet) -> list[str]:
    """Copy the images into `folder` and return their names there, in the order of the table.

    A name keeps its stem where that is the only one, else it gets the image's id too, so that
    each image can have a label file named like it.
    """
    folder.mkdir(parents=True)
    stems = [stem_and_suffix(Path(uri).name) for uri in images.table["uri"]]
    times = Counter(stem.casefold() for stem, _ in stems)
    names = []
    for (stem, suffix), image_id, uri in zip(
        stems, images.table["image_id"], images.table["uri"], strict=True
    ):
        unique = stem if times[stem.casefold()] == 1 else f"{stem}-{image_id}"
        names.append(unique + suffix)
        shutil.copyfile(uri, folder / names[-1])
    return names

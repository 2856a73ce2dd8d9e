"""Shared steps of writing a data set: a new folder, image files, names and corners."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from backhaul.data.formats.files import stem_and_suffix
from backhaul.data.images import OnProgress
from backhaul.errors import InputError
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

Put: TypeAlias = Callable[[str, Path], None]
"""Puts the image file at a path to a new one."""

_DECIMALS = 6  # of a pixel


def require_empty(folder: Path) -> None:
    """Do nothing if `folder` does not exist or is empty: nothing is ever overwritten.

    Raises:
        InputError: If there is something in it, or it is no folder.
    """
    try:
        empty = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; expected a new folder") from None
    if not empty:
        raise InputError(f"{folder}: expected a new or empty folder")


def new_folder(folder: Path) -> None:
    """Make `folder`.

    Raises:
        InputError: If there is something in it already, or it cannot be made.
    """
    require_empty(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; expected a new folder") from None


def copy_file(source: str, target: Path) -> None:
    """Copy the content of a file; `target` has the permissions of a new file."""
    shutil.copyfile(source, target)


def link_file(source: str, target: Path) -> None:
    """Give a file a second name (a hard link), which takes no space.

    Raises:
        InputError: If the file system has no hard links, or `target` is on another one.
    """
    try:
        os.link(os.path.realpath(source), target)
    except OSError as error:
        raise InputError(
            f"{source}: no hard link can be made of it there ({error.strerror}); copy the "
            "images (--copy)"
        ) from None


def put_images(
    folder: Path, images: ImageSet, put: Put, on_progress: OnProgress | None
) -> list[str]:
    """Put image files into a new folder; return their names there, in the table's order.

    A name keeps its stem where that is the only one, else it gets the image's id too, so that
    each image can have a label file named like it.

    Args:
        folder: New folder.
        images: The images.
        put: Puts an image file at its place in the folder, such as `copy_file`.
        on_progress: Called while the images are put.
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
        put(uri, folder / names[-1])
        if on_progress is not None:
            on_progress(len(names), len(stems))
    return names


def plain_names(class_names: Sequence[str], space: str = " ") -> tuple[str, ...]:
    """Return class names without line breaks, and with `space` for other white space.

    Raises:
        InputError: If nothing of a name, or no difference between two, is left.

    Example:
        >>> plain_names(["red cell", "car "], "_")
        ('red_cell', 'car')
    """
    plain = tuple(space.join(name.split()) for name in class_names)
    name, times = Counter(plain).most_common(1)[0]
    if times > 1:
        both = [repr(old) for old, new in zip(class_names, plain, strict=True) if new == name]
        raise InputError(f"classes {', '.join(both)} would all be written as {name!r}; rename")
    if "" in plain:
        raise InputError(f"class {plain.index('')} has no name, which this format needs")
    return plain


def write_names(folder: Path, class_names: Sequence[str]) -> None:
    """Write ``classes.txt`` into `folder`, one name a line."""
    lines = "".join(f"{name}\n" for name in class_names)
    (folder / "classes.txt").write_text(lines, encoding="utf-8")


def labelled_rows(
    names: Sequence[str], images: ImageSet
) -> Iterator[tuple[str, int, int, Labels]]:
    """Yield name, width, height and labels of each image that somebody labelled.

    Args:
        names: What `put_images` returned.
        images: The images.
    """
    columns = images.table[["width", "height", "labels"]].itertuples(index=False, name=None)
    for name, (width, height, labels) in zip(names, columns, strict=True):
        if labels is not None:
            yield name, width, height, labels


def corner_texts(labels: Labels, width: int, height: int) -> list[tuple[int, list[str]]]:
    """Return class id, and xmin, ymin, xmax, ymax in pixels as text, of each box.

    Args:
        labels: Labels of an image.
        width: Of the image, pixels.
        height: Of the image, pixels.
    """
    corners = labels.xyxy(width, height).tolist()
    ids = labels.class_id.tolist()
    return [(i, [_text(value) for value in xyxy]) for i, xyxy in zip(ids, corners, strict=True)]


def _text(value: float) -> str:
    return f"{round(value, _DECIMALS) + 0.0:.{_DECIMALS}f}".rstrip("0").rstrip(".")

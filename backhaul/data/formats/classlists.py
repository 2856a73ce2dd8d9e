"""The class list of a YOLO data set, which several of its files may give."""

from __future__ import annotations

from pathlib import Path

from backhaul.data.formats.datayaml import DataYaml, find_nested, names_of
from backhaul.data.formats.files import NAMES_FILES, Listing, agreed, read_names
from backhaul.errors import InputError


def class_names_of(
    listing: Listing, data: DataYaml | None, names: Path | None
) -> tuple[str, ...]:
    """Return the class names in `names`, else those on which all class lists agree.

    Args:
        listing: The files of the data set.
        data: Its data.yaml, or None.
        names: File with one class name a line, or None.

    Raises:
        InputError: If there is no class list, one is wrong, or two differ: which of them the
            numbers in a label file mean is not to be guessed.
    """
    if names is not None:
        return read_names(names)
    found = in_texts(listing)
    if found:
        found += [(other.path, names_of(other)) for other in find_nested(listing)]
    if data is not None and data.path.suffix == ".data":  # it names one of several .names files
        found = [(path, other) for path, other in found if path.suffix != ".names"]
    if data is not None:
        found.insert(0, (data.path, names_of(data)))
    if not found:
        raise InputError(
            f"{listing.root}: no class names: looked for a data.yaml with names, "
            f"{', '.join(NAMES_FILES)} and *.names; or give a file as data.names or --names"
            f"{_instead(listing)}"
        )
    return agreed(found)


def in_texts(listing: Listing) -> list[tuple[Path, tuple[str, ...]]]:
    """Return the class lists in text files such as classes.txt, with their paths.

    Raises:
        InputError: If one cannot be read.
    """
    paths = [
        Path(path)
        for path in listing.of(".txt", ".names", ".labels")
        if path.rpartition("/")[2] in NAMES_FILES or path.endswith(".names")
    ]
    return [(path, read_names(path)) for path in paths]


def _instead(listing: Listing) -> str:
    nested = find_nested(listing)
    if not nested:
        return ""
    return f", or one of the data sets in it, as {nested[0].path.parent}"

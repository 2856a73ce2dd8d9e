"""Tools that write a file an image: which file is named like which image that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath

from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.files import Listing, counted
from backhaul.data.formats.report import Problem
from backhaul.errors import InputError


def files_by_image(
    listing: Listing, suffix: str, waiting: Sequence[WaitingImage]
) -> dict[str, list[str]]:
    """Return the files that are named like each image, in whatever folders they lie.

    Args:
        listing: What the tool wrote.
        suffix: That of its files of labels.
        waiting: The images.

    Raises:
        InputError: If there is no file with the suffix at all.
    """
    if not listing.of(suffix):
        raise InputError(f"{listing.root}: no {suffix} file there: expected one an image")
    files: dict[str, list[str]] = {image.file.image_id: [] for image in waiting}
    for path in listing.of(suffix):
        named = files.get(PurePath(path).stem)
        if named is not None:
            named.append(path)
    return {image_id: paths for image_id, paths in files.items() if paths}


def other_files(
    listing: Listing,
    suffix: str,
    files: Mapping[str, Iterable[str]],
    are_labels: Callable[[str], bool],
) -> list[Problem]:
    """Return a note if files are named like no image that waits.

    Args:
        listing: What the tool wrote.
        suffix: That of its files of labels.
        files: Those that are named like one, by image.
        are_labels: Whether a file may be one of labels.
    """
    known = {path for paths in files.values() for path in paths}
    others = [path for path in listing.of(suffix) if path not in known and are_labels(path)]
    if not others:
        return []
    named = counted(others, listing.root.as_posix(), suffix)
    reason = f"{named} named like no image that waits, passed over: names are to be left"
    return [Problem(listing.root.as_posix(), None, reason, "note")]

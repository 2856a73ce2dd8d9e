"""What lies below the folder of a data set and is not read: counted and named by kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable

from backhaul.data.formats.files import Listing, by_folder, counted, stem_and_suffix
from backhaul.data.formats.report import Problem
from backhaul.data.images import OTHER_IMAGE_SUFFIXES
from backhaul.untrusted import UnreadableFileError, open_file

_READ_BY = {
    "yolo": ".txt",
    "voc": ".xml",
    "coco": ".json",
    "cvat": ".xml",
    "kitti": ".txt",
    "csv": ".csv",
}
_TABLES = (".json", ".xml", ".csv")
_SUFFIXES = "jpg, jpeg, png, bmp or webp"
_HEAD_BYTES = 4096
_OF_OURS = ("/digits.json", "/stream.json", "/contents.json")
"""What data sets that we made have beside them, see `backhaul.data.made`."""
_FEWEST_FIELDS = 5


def passed_over(listing: Listing, name: str) -> list[Problem]:
    """Return what is not read because its kind is not, with a problem for each kind.

    Args:
        listing: The files of the data set.
        name: The format that it is read as. What files of its own kind it passes over, it says
            itself.
    """
    root = listing.root.as_posix()
    problems = []
    for suffix in sorted(OTHER_IMAGE_SUFFIXES):
        if paths := listing.of(suffix):
            reason = f"{counted(paths, root, suffix)} left out: expected {_SUFFIXES}"
            problems.append(Problem(root, None, reason, "warning"))
    for suffix in _TABLES:
        if suffix != _READ_BY[name]:
            problems += not_read(listing, suffix, (), name)
    beside = _beside_images(listing) if _READ_BY[name] != ".txt" else []
    return problems + _note(listing, ".txt", beside, name)


def not_read(listing: Listing, suffix: str, known: Collection[str], name: str) -> list[Problem]:
    """Return a note if files that may be labels are not read, with their number.

    Args:
        listing: The files of the data set.
        suffix: That of the files.
        known: Those of them that are read, or of which something was said.
        name: The format that the data set is read as.
    """
    known = {*known, *(path for path in listing.of(suffix) if path.endswith(_OF_OURS))}
    others = [path for path in listing.of(suffix) if path not in known]
    return _note(listing, suffix, others, name)


def _note(listing: Listing, suffix: str, paths: list[str], name: str) -> list[Problem]:
    root = listing.root.as_posix()
    reason = f"{counted(paths, root, suffix)} not read: labels are read as {name}"
    return [Problem(root, None, reason, "note")] if paths else []


def _beside_images(listing: Listing) -> list[str]:
    """Return the texts that have the name of an image, and lines of numbers."""
    stems = {stem_and_suffix(image)[0].rpartition("/")[2] for image in listing.images}
    return [
        path
        for path in listing.of(".txt")
        if stem_and_suffix(path)[0].rpartition("/")[2] in stems and looks_like_boxes(path)
    ]


def looks_like_boxes(path: str) -> bool:
    """Return whether the first line of a text that is not empty has five numbers or more."""
    try:
        with open_file(path) as file:
            text = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").strip()
    except UnreadableFileError:
        return False
    fields = text.splitlines()[0].split() if text else []
    return len(fields) >= _FEWEST_FIELDS and all(map(_is_number, fields[1:_FEWEST_FIELDS]))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def unclaimed_labels(
    listing: Listing,
    claimed: Collection[str],
    looks_like: Callable[[str], bool] = looks_like_boxes,
) -> list[Problem]:
    """Return a warning for each folder with texts like labels that belong to no image.

    Args:
        listing: The files of the data set.
        claimed: Those that belong to images, or of which something was said already.
        looks_like: Whether the file at a path may be one of labels.
    """
    lost = [path for path in listing.of(".txt") if path not in claimed]
    problems = []
    for folder, paths in by_folder(path for path in lost if looks_like(path)).items():
        reason = f"{counted(paths, folder, '.txt')} look like labels of no image, left out"
        problems.append(Problem(folder, None, reason, "warning"))
    return problems


def unnamed_images(
    listing: Listing, named: Iterable[str], has_labels: Callable[[str], bool]
) -> list[Problem]:
    """Return a warning for each folder with images that no key of a data.yaml names.

    Args:
        listing: The files of the data set.
        named: The images that it names.
        has_labels: Whether an image has a label file.
    """
    wanted = set(named)
    left = by_folder(image for image in listing.images if image not in wanted)
    real = {os.path.realpath(folder) for folder in left}
    through_links = {
        os.path.realpath(image)
        for folder, images in by_folder(wanted).items()
        if os.path.realpath(folder) in real
        for image in images
    }
    problems = []
    for folder, images in left.items():
        lost = [image for image in images if os.path.realpath(image) not in through_links]
        if lost:
            n_labelled = sum(map(has_labels, lost))
            reason = (
                f"{len(lost)} images, {n_labelled} of them with labels, that no key of "
                "data.yaml names, left out"
            )
            problems.append(Problem(folder, None, reason, "warning"))
    return problems

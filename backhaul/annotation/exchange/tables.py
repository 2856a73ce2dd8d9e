"""CVAT and COCO: a file that lists many images, which are found by their names alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from backhaul.annotation.exchange.classes import in_classes_of_run
from backhaul.annotation.exchange.returned import Returned, counted_images
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats import coco, cvat
from backhaul.data.formats.assembly import looks_like_fractions
from backhaul.data.formats.files import Listing
from backhaul.data.formats.report import MOST_PATH, DataReport, Problem
from backhaul.data.formats.writing import plain_names
from backhaul.data.images import ImageFile, ImageReader, Look
from backhaul.data.limits import ImageLimits
from backhaul.errors import InputError
from backhaul.storage.scratch import scratch_folder
from backhaul.untrusted import one_line


def read_cvat(
    listing: Listing, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels of images that files of CVAT list.

    Args:
        listing: What the tool wrote.
        waiting: The images.
        class_names: The run's classes.

    Raises:
        InputError: If there is no such file, or it is not known which images an error concerns.
    """
    known = {_path(image.file): image.file for image in waiting}
    with scratch_folder() as scratch:
        names = scratch / "classes.txt"
        names.write_text("".join(f"{each}\n" for each in plain_names(class_names)), "utf-8")
        report = cvat.read(_of_images(listing, known), names, _reader(known))
    return _returned(report, _file(listing, ".xml"), known, class_names)


def read_coco(
    listing: Listing, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels of images that files of COCO list, see `read_cvat`."""
    known = {_path(image.file): image.file for image in waiting}
    report = coco.read(_of_images(listing, known), None, _reader(known))
    return _returned(report, _file(listing, ".json"), known, class_names)


def _of_images(listing: Listing, known: Mapping[str, ImageFile]) -> Listing:
    return replace(listing, images=tuple(sorted(known)))


def _reader(known: Mapping[str, ImageFile]) -> ImageReader:
    """Return what knows images by their paths, and opens none."""

    def look_up(path: str, limits: ImageLimits, look: Look) -> ImageFile:
        return replace(known[path], path=path)

    return ImageReader(probe=look_up)


def _file(listing: Listing, suffix: str) -> str:
    """Return the file that the tool wrote, or the folder where there are several."""
    paths = listing.of(suffix)
    return paths[0] if len(paths) == 1 else listing.root.as_posix()


def _returned(
    report: DataReport, place: str, known: Mapping[str, ImageFile], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels of a report, and why images wait.

    Args:
        report: What was read.
        place: The file that it was read from.
        known: The images by their paths in the report.
        class_names: The run's classes.

    Raises:
        InputError: If it is not known which images an error concerns.
    """
    _require_understood(report, place)
    ids = {one_line(path, MOST_PATH): file.image_id for path, file in known.items()}
    of_image = defaultdict[str, list[Problem]](list)
    returned = Returned()
    for problem in report.problems:
        if problem.image in ids and problem.severity != "note":
            of_image[ids[problem.image]].append(problem)
        else:
            returned.problems.append(problem)
    columns = report.images.table[["image_id", "uri", "labels"]].itertuples(index=False)
    for image_id, uri, labels in columns:
        found = None if uri in report.partly else labels, of_image[image_id]
        theirs = report.images.class_names
        returned.add(image_id, in_classes_of_run(found, theirs, class_names, place))
    if report.partly:
        others = sorted(known[path].image_id for path in report.partly)
        reason = f"{counted_images(others)} have shapes that are not read: they wait"
        returned.problems.append(Problem(place, None, reason, "error"))
    return returned


def _path(file: ImageFile) -> str:
    """Return the image's address in the store, with its id as name, as exports call it."""
    place = PurePosixPath(file.path)
    return f"{file.path.removesuffix(place.name)}{file.image_id}{place.suffix}"


def _require_understood(report: DataReport, place: str) -> None:
    """Do nothing if each error is about an image, and boxes are in pixels.

    Raises:
        InputError: If not: any image may have lost an object by it.
    """
    unknown = [problem for problem in report.errors if problem.image is None]
    if unknown:
        raise InputError(f"{unknown[0]}; nothing was taken, as any image may be concerned")
    if looks_like_fractions(report.images):
        raise InputError(
            f"{place}: all boxes lie within 0 to 1 pixels of their images: their numbers may "
            "be fractions; nothing was taken: expected pixels"
        )

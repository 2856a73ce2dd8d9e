"""YOLO and Darknet: a text file an image, one line ``class cx cy w h`` a box, in fractions.

A line ``class x1 y1 x2 y2 x3 y3 ...`` is an outline, or a box that is turned: its box is the
one around it.

Labels of ``.../images/a/b.jpg`` lie in ``.../labels/a/b.txt``, or beside the image in
``b.txt``. Without such a file an image is unlabelled; with an empty one it has no objects.
Where a ``data.yaml`` (Ultralytics) names folders or lists of images, those are read, else all
images below the folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from backhaul.data.filenames import LabelFiles
from backhaul.data.formats.assembly import Checked, assemble
from backhaul.data.formats.checks import Box, WrongBoxError, box_of_outline, check_boxes
from backhaul.data.formats.classlists import class_names_of
from backhaul.data.formats.darknetdata import find_data
from backhaul.data.formats.datayaml import DataYaml, find_yaml, require_boxes
from backhaul.data.formats.files import (
    MOST_LINES,
    Listing,
    by_folder,
    first_of,
    orphans,
    shared_stems,
    stem_and_suffix,
    with_folder,
)
from backhaul.data.formats.kitti import is_kitti
from backhaul.data.formats.passedover import unclaimed_labels, unnamed_images
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import Put, copy_file, new_folder, put_images
from backhaul.data.formats.yamlplaces import listed_images
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import MissingFileError, UnreadableFileError, read_text, understanding
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

_FIELDS = 5
_FEWEST_OF_OUTLINE = 7  # a class and three corners
_EXPECTED = "expected 5 numbers (class cx cy w h), or a class and three corners or more"


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    if find_yaml(listing) is not None:
        return True
    texts = set(listing.of(".txt"))
    claimed = [path for image in listing.images for path in label_paths(image) if path in texts]
    return bool(claimed) and not is_kitti(claimed)


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names; None = those of data.yaml, classes.txt or a .names file.
        reader: Reads the images.

    Raises:
        InputError: If there is no class list or no image, or data.yaml is wrong.
    """
    data = _data_file(listing, reader)
    class_names = class_names_of(listing, data, names)
    images, problems = list(listing.images), list[Problem]()
    if data is not None and data.names_images:
        images, problems = listed_images(data, reader)
    if not images:
        raise InputError(
            f"{listing.root}: no image (jpg, jpeg, png, bmp or webp) found{first_of(problems)}"
        )
    images = sorted(set(images))  # data.yaml may name a folder for several subsets
    every = sorted({*images, *listing.images})
    places = {image: label_paths(image) for image in every}
    texts = frozenset(listing.of(".txt"))
    files = LabelFiles(texts, (path for paths in places.values() for path in paths))
    listed = {path.rpartition("/")[0] for path in (*texts, *listing.images)}

    def find_labels(image: ImageFile) -> Checked:
        try:
            paths = [files.at(place) for place in places[image.path]]
        except InputError as error:
            return None, [Problem(image.path, None, str(error), "error")]
        # where a folder was listed under this name, what is not listed is not there
        paths = [p for p in paths if p in texts or p.rpartition("/")[0] not in listed]
        return read_labels(image, paths, len(class_names))

    problems += _left_over(listing, images, places, files, listed)
    problems += shared_stems(images)
    return assemble(images, class_names, find_labels, problems, reader)


def label_paths(image: str) -> tuple[str, ...]:
    """Return the paths where the labels of an image may be, the first to try first.

    Example:
        >>> label_paths("/images/images/a.x.jpeg")
        ('/images/labels/a.x.txt', '/images/images/a.x.txt')
    """
    beside = stem_and_suffix(image)[0] + ".txt"
    apart = with_folder(beside, "images", "labels")
    return (beside,) if apart is None else (apart, beside)


def read_labels(image: ImageFile, paths: Iterable[str], n_classes: int) -> Checked:
    """Return an image's labels, None without a label file, and the problems in that file.

    Args:
        image: The image.
        paths: Where its labels may be.
        n_classes: Length of the class list.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            found[path] = read_text(path)
        except MissingFileError:
            continue
        except UnreadableFileError as error:
            return None, [Problem(error.path, None, error.reason, "error")]
    if not found:
        return None, []
    path, *others = found
    if any(found[path].split() != found[other].split() for other in others):
        reason = f"which are its labels: {path} or {others[0]}? They differ; expected one"
        return None, [Problem(image.path, None, reason, "error")]
    with understanding(path):
        return parse_lines(found[path], path, image, n_classes)


def parse_lines(text: str, path: str, image: ImageFile, n_classes: int) -> Checked:
    """Return the boxes in Darknet lines, and the problems of the other lines.

    Args:
        text: Content of a label file, one box a line.
        path: The label file, for the problems.
        image: The image that it belongs to.
        n_classes: Length of the class list.
    """
    boxes, problems = [], []
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        reason = f"has {len(lines):,} lines, expected at most {MOST_LINES:,}"
        return None, [Problem(path, None, reason, "error")]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            boxes.append(_parse_line(line, number))
        except WrongBoxError as error:
            problems.append(Problem(path, number, str(error), "error"))
    labels, wrong = check_boxes(path, boxes, image, n_classes)
    return labels, problems + wrong


def written_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names as `write` writes them."""
    return class_names


def write(
    folder: Path,
    images: ImageSet,
    put: Put = copy_file,
    on_progress: OnProgress | None = None,
) -> None:
    """Write ``images/``, ``labels/`` and ``data.yaml`` into a new folder.

    Numbers are written so that they are read back as they were.

    Args:
        folder: New or empty folder.
        images: Images with labels, to be written.
        put: Puts an image file at its place in the folder, such as `copy_file`.
        on_progress: Called while the images are put.

    Raises:
        InputError: If `folder` is not empty.
    """
    new_folder(folder)
    names = put_images(folder / "images", images, put, on_progress)
    (folder / "labels").mkdir()
    for name, labels in zip(names, images.table["labels"], strict=True):
        if labels is not None:
            path = folder / "labels" / f"{stem_and_suffix(name)[0]}.txt"
            path.write_text(darknet_lines(labels), encoding="utf-8")
    write_data_yaml(folder, images.class_names)


def darknet_lines(labels: Labels) -> str:
    """Return the content of a label file; its numbers are read back as they were."""
    rows = labels.rows().tolist()
    return "".join(" ".join([str(int(row[0])), *map(repr, row[1:])]) + "\n" for row in rows)


def write_data_yaml(folder: Path, class_names: tuple[str, ...]) -> None:
    """Write the ``data.yaml`` of a folder whose images lie in ``images/``."""
    content = {"train": "images", "val": "images", "names": dict(enumerate(class_names))}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (folder / "data.yaml").write_text(text, encoding="utf-8")


def _parse_line(line: str, number: int) -> Box:
    fields = line.split()
    outlined = len(fields) >= _FEWEST_OF_OUTLINE and len(fields) % 2 == 1
    if len(fields) != _FIELDS and not outlined:
        raise WrongBoxError(f"{_EXPECTED}, got {len(fields)}")
    values = []
    for place, field in enumerate(fields, start=1):
        try:
            values.append(float(field))
            class_id = int(values[0])
        except (ValueError, OverflowError):
            raise WrongBoxError(f"{_EXPECTED}, field {place} is no number") from None
    if class_id != values[0]:
        raise WrongBoxError(f"class {values[0]:g} is no whole number")
    if outlined:
        return box_of_outline(class_id, values[1:], number)
    cx, cy, w, h = values[1:]
    return Box(class_id, cx, cy, w, h, number)


def _data_file(listing: Listing, reader: ImageReader) -> DataYaml | None:
    data = find_yaml(listing)
    if data is None:
        return find_data(listing, reader)
    require_boxes(data)
    return data


def outside(listing: Listing) -> list[str]:
    """Return the paths that belong to a data set but are outside its folder.

    These are images that a data.yaml names there, and places where labels may be.
    """
    data = _data_file(listing, FROM_DISK)
    named = [] if data is None else listed_images(data, FROM_DISK)[0]
    paths = [
        path for image in {*named, *listing.images} for path in (image, *label_paths(image))
    ]
    return sorted(path for path in paths if not path.startswith(f"{listing.root}/"))


def _left_over(
    listing: Listing,
    images: list[str],
    places: Mapping[str, tuple[str, ...]],
    files: LabelFiles,
    listed: Collection[str],
) -> list[Problem]:
    """Return a problem for what of the data set is not read, with its labels or without."""
    texts = frozenset(listing.of(".txt"))
    every = {files.at(path) for paths in places.values() for path in paths}
    claimed = texts.intersection(every) | _through_links(texts, every, listed)
    apart = {path for path in claimed if "/labels/" in path}
    lost = orphans(listing, ".txt", apart)
    folders = set(by_folder(apart))
    known = claimed | {path for path in texts if path.rpartition("/")[0] in folders}

    def has_labels(image: str) -> bool:
        return any(files.at(path) in texts for path in places[image])

    lost += unnamed_images(listing, images, has_labels)
    return lost + unclaimed_labels(listing, known)


def _through_links(
    texts: frozenset[str], paths: Iterable[str], listed: Collection[str]
) -> frozenset[str]:
    """Return the texts that `paths` mean in folders that are listed under another name."""
    is_folder = cache(os.path.isdir)  # not of pathlib: raises nothing where a name is no name
    folders = ((path, path.rpartition("/")[0]) for path in paths)
    lost = [path for path, folder in folders if folder not in listed and is_folder(folder)]
    if not lost:
        return frozenset()
    real = {os.path.realpath(text): text for text in texts}
    return frozenset(real[place] for place in map(os.path.realpath, lost) if place in real)

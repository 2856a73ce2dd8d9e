"""YOLO and Darknet: a text file an image, one line ``class cx cy w h`` a box, in fractions.

Labels of ``.../images/a/b.jpg`` lie in ``.../labels/a/b.txt``, or beside the image in
``b.txt``. Without such a file an image is unlabelled; with an empty one it has no objects.
Where a ``data.yaml`` (Ultralytics) names folders or lists of images, those are read, else all
images below the folder.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from backhaul.data.formats.assembly import Checked, assemble
from backhaul.data.formats.checks import Box, WrongBoxError, check_boxes
from backhaul.data.formats.datayaml import DataYaml, find_yaml, listed_images, names_of
from backhaul.data.formats.files import (
    MOST_LINES,
    NAMES_FILES,
    Listing,
    orphans,
    read_names,
    scan,
    shared_stems,
    stem_and_suffix,
    with_folder,
)
from backhaul.data.formats.kitti import is_kitti
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import Put, copy_file, new_folder, put_images
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import MissingFileError, UnreadableFileError, read_text, understanding
from backhaul.values.images import ImageSet

_FIELDS = 5


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    if find_yaml(listing) is not None:
        return True
    texts = set(listing.of(".txt"))
    claimed = [path for image in listing.images for path in label_paths(image) if path in texts]
    return bool(claimed) and not is_kitti(claimed)


def read(root: Path, names: Path | None = None, reader: ImageReader = FROM_DISK) -> DataReport:
    """Return the data set below `root`.

    Args:
        root: Its folder.
        names: File of class names; None = those of data.yaml, classes.txt or a .names file.
        reader: Reads the images.

    Raises:
        InputError: If there is no class list or no image, or data.yaml is wrong.
    """
    listing = scan(root)
    data = find_yaml(listing)
    class_names = _class_names(listing, data, names)
    if data is not None and data.names_images:
        images, problems = listed_images(data, reader)
    else:
        images, problems = list(listing.images), _orphans(listing)
    if not images:
        why = f": {problems[0]}" if problems else ""
        raise InputError(f"{root}: no image (jpg, jpeg, png, bmp or webp) found{why}")

    def find_labels(image: ImageFile) -> Checked:
        return read_labels(image, len(class_names))

    images = sorted(set(images))  # data.yaml may name a folder for several subsets
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


def read_labels(image: ImageFile, n_classes: int) -> Checked:
    """Return an image's labels, None without a label file, and the problems in that file."""
    for path in label_paths(image.path):
        try:
            with understanding(path):
                return parse_lines(read_text(path), path, image, n_classes)
        except MissingFileError:
            continue
        except UnreadableFileError as error:
            return None, [Problem(path, None, error.reason, "error")]
    return None, []


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
            lines = [
                " ".join([str(int(row[0])), *map(repr, row[1:])])
                for row in labels.rows().tolist()
            ]
            path = folder / "labels" / f"{stem_and_suffix(name)[0]}.txt"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    write_data_yaml(folder, images.class_names)


def write_data_yaml(folder: Path, class_names: tuple[str, ...]) -> None:
    """Write the ``data.yaml`` of a folder whose images lie in ``images/``."""
    content = {"train": "images", "val": "images", "names": dict(enumerate(class_names))}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (folder / "data.yaml").write_text(text, encoding="utf-8")


def _parse_line(line: str, number: int) -> Box:
    fields = line.split()
    if len(fields) != _FIELDS:
        raise WrongBoxError(f"expected 5 numbers (class cx cy w h), got {len(fields)}")
    values = []
    for place, field in enumerate(fields, start=1):
        try:
            values.append(float(field))
            class_id = int(values[0])
        except (ValueError, OverflowError):
            raise WrongBoxError(
                f"expected 5 numbers (class cx cy w h), field {place} is no number"
            ) from None
    if class_id != values[0]:
        raise WrongBoxError(f"class {values[0]:g} is no whole number")
    cx, cy, w, h = values[1:]
    return Box(class_id, cx, cy, w, h, number)


def _find_names(listing: Listing) -> Path | None:
    for path in listing.of(".txt", ".names"):
        if Path(path).name in NAMES_FILES or path.endswith(".names"):
            return Path(path)
    return None


def _class_names(
    listing: Listing, data: DataYaml | None, names: Path | None
) -> tuple[str, ...]:
    if names is not None:
        return read_names(names)
    if data is not None:
        return names_of(data)
    found = _find_names(listing)
    if found is None:
        raise InputError(
            f"{listing.root}: no class names: looked for a data.yaml with names, "
            f"{', '.join(NAMES_FILES)} and *.names; or give a file as data.names or --names"
        )
    return read_names(found)


def outside(listing: Listing) -> list[str]:
    """Return the paths that belong to a data set but are outside its folder.

    These are images that a data.yaml names there, and places where labels may be.
    """
    data = find_yaml(listing)
    named = [] if data is None else listed_images(data, FROM_DISK)[0]
    paths = [
        path for image in {*named, *listing.images} for path in (image, *label_paths(image))
    ]
    return sorted(path for path in paths if not path.startswith(f"{listing.root}/"))


def _orphans(listing: Listing) -> list[Problem]:
    claimed = (path for image in listing.images for path in label_paths(image))
    return orphans(listing, ".txt", (path for path in claimed if "/labels/" in path))

"""YOLO and Darknet: a text file an image, one line ``class cx cy w h`` a box, in fractions.

Labels of ``.../images/a/b.jpg`` lie in ``.../labels/a/b.txt``, or beside the image in
``b.txt``. Without such a file an image is unlabelled; with an empty one it has no objects.
Where a ``data.yaml`` (Ultralytics) names folders or lists of images, those are read, else all
images below the folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from backhaul.data.formats.assembly import Checked, assemble
from backhaul.data.formats.checks import Box, WrongBoxError, check_boxes
from backhaul.data.formats.files import (
    NAMES_FILES,
    Listing,
    orphans,
    read_names,
    require_names,
    scan,
    shared_stems,
    stem_and_suffix,
    with_folder,
)
from backhaul.data.formats.kitti import is_kitti
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import Put, copy_file, new_folder, put_images
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress, is_image
from backhaul.errors import InputError
from backhaul.values.images import ImageSet
from backhaul.yamltext import parse_yaml

_SUBSETS = ("train", "val", "valid", "test")
_FIELDS = 5


class _DataYaml(NamedTuple):
    path: Path
    content: dict[str, Any]


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    if _find_yaml(listing) is not None:
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
    data = _find_yaml(listing)
    class_names = _class_names(listing, data, names)
    if data is not None and any(data.content.get(subset) for subset in _SUBSETS):
        images, problems = _listed_images(data)
    else:
        images, problems = list(listing.images), _orphans(listing)
    if not images:
        raise InputError(f"{root}: no image (jpg, jpeg, png, bmp or webp) found")

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
            text = Path(path).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            return None, [Problem(path, None, f"expected a text file: {error}", "error")]
        return parse_lines(text, path, image, n_classes)
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
    for number, line in enumerate(text.splitlines(), start=1):
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
    try:
        values = [float(field) for field in fields]
        class_id = int(values[0])
    except (ValueError, OverflowError):
        raise WrongBoxError(
            f"expected 5 numbers (class cx cy w h), got {line.strip()!r}"
        ) from None
    if class_id != values[0]:
        raise WrongBoxError(f"class {fields[0]} is no whole number")
    cx, cy, w, h = values[1:]
    return Box(class_id, cx, cy, w, h, number)


def _find_yaml(listing: Listing) -> _DataYaml | None:
    found = []
    for suffix in (".yaml", ".yml"):
        for name in listing.of(suffix):
            path = Path(name)
            if path.parent != listing.root:
                continue
            try:
                content = parse_yaml(path.read_bytes())
            except OSError as error:
                raise InputError(f"{path}: {error.strerror}") from None
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            if isinstance(content, dict) and "names" in content:
                found.append(_DataYaml(path, content))
    preferred = [data for data in found if data.path.stem == "data"]
    if len(preferred or found) > 1:
        listed = ", ".join(data.path.name for data in found)
        raise InputError(f"{listing.root}: which is its data.yaml: {listed}? Expected one")
    return next(iter(preferred or found), None)


def _find_names(listing: Listing) -> Path | None:
    for path in listing.of(".txt", ".names"):
        if Path(path).name in NAMES_FILES or path.endswith(".names"):
            return Path(path)
    return None


def _class_names(
    listing: Listing, data: _DataYaml | None, names: Path | None
) -> tuple[str, ...]:
    if names is not None:
        return read_names(names)
    if data is not None:
        return _names_of(data)
    found = _find_names(listing)
    if found is None:
        raise InputError(
            f"{listing.root}: no class names: looked for a data.yaml with names, "
            f"{', '.join(NAMES_FILES)} and *.names; or give a file as data.names or --names"
        )
    return read_names(found)


def _names_of(data: _DataYaml) -> tuple[str, ...]:
    names, count = data.content["names"], data.content.get("nc")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(
                f"{data.path}: names: expected class ids 0..{len(names) - 1} as keys"
            )
        names = [names[class_id] for class_id in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{data.path}: names: expected a list, or class ids and names")
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise InputError(f"{data.path}: names: {name!r} is no text; put it in quotes")
    if count not in (None, len(names)):
        raise InputError(f"{data.path}: nc is {count}, but there are {len(names)} names")
    return require_names(data.path, [str(name) for name in names])


def _listed_images(data: _DataYaml) -> tuple[list[str], list[Problem]]:
    """Return the images that a data.yaml refers to, as Ultralytics reads it."""
    base = data.path.parent / str(data.content.get("path") or "")
    base = base if base.is_dir() else data.path.parent
    images: list[str] = []
    problems: list[Problem] = []
    for subset in _SUBSETS:
        entries = data.content.get(subset) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            place = _resolve(base, str(entry))
            if place.is_dir():
                images += scan(place).images
            elif place.is_file():
                found, missing = _read_list(place, base)
                images += found
                problems += missing
            else:
                reason = f"{subset}: {entry}: no folder or list of images there, left out"
                problems.append(Problem(data.path.as_posix(), None, reason, "warning"))
    return images, problems


def outside(listing: Listing) -> list[str]:
    """Return the paths that belong to a data set but are outside its folder.

    These are images that a data.yaml names there, and places where labels may be.
    """
    data = _find_yaml(listing)
    named = [] if data is None else _listed_images(data)[0]
    paths = [
        path for image in {*named, *listing.images} for path in (image, *label_paths(image))
    ]
    return sorted(path for path in paths if not path.startswith(f"{listing.root}/"))


def _resolve(base: Path, entry: str) -> Path:
    place = Path(os.path.normpath(base / entry))
    if not place.exists() and entry.startswith("../"):  # as Roboflow writes its own folders
        place = Path(os.path.normpath(base / entry.removeprefix("../")))
    return place


def _read_list(path: Path, base: Path) -> tuple[list[str], list[Problem]]:
    """Return the images of a list, relative to it or to the data set, and its problems."""
    images, problems = [], []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected a list of images as UTF-8 text") from None
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line:
            continue
        places = [os.path.normpath(folder / line) for folder in (path.parent, base)]
        found = next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113
        if found is None or not is_image(found):
            reason = f"{line}: no image there, left out"
            problems.append(Problem(path.as_posix(), number, reason, "warning"))
        else:
            images.append(found)
    return images, problems


def _orphans(listing: Listing) -> list[Problem]:
    claimed = (path for image in listing.images for path in label_paths(image))
    return orphans(listing, ".txt", (path for path in claimed if "/labels/" in path))

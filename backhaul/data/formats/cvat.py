"""CVAT for images: an XML file a task, with the shapes of all its images, in pixels.

A ``box`` is read as it is, one with a ``rotation`` as the box around it; so are ``polygon``,
whose outline is kept, ``ellipse`` and ``mask``. Shapes of other kinds, and those ``outside`` of
the image, are left out, with their number. An image that a file lists has been labelled, also
if it has no shape; images that no file lists are unlabelled, and so are those with shapes of
other kinds alone: there are objects in them. CVAT for video, with its tracks, is refused.

Source: "CVAT for images 1.1" in the documentation of CVAT's annotation formats.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from xml.etree import ElementTree as ET

from backhaul.data.formats.assembly import Checked, assemble, question_fractions
from backhaul.data.formats.checks import Box, box_of_corners, check_boxes, listed_size
from backhaul.data.formats.files import (
    MOST_WRONG,
    NAMES_FILES,
    Listing,
    find_class_names,
    first_of,
    stem_and_suffix,
)
from backhaul.data.formats.imageindex import ImageIndex, missing_images, which_image
from backhaul.data.formats.outlines import box_around, box_of_ellipse, is_outline, turned_box
from backhaul.data.formats.passedover import not_read
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import (
    Put,
    copy_file,
    corner_texts,
    labelled_rows,
    new_folder,
    plain_names,
    put_images,
)
from backhaul.data.formats.xmlfile import elements, is_cvat
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, understanding
from backhaul.values.images import ImageSet

Find: TypeAlias = Callable[[str, str], tuple[str, ...]]

_ROOT = "annotations"
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_ELLIPSE = ("cx", "cy", "rx", "ry")
_EXTENT = ("left", "top", "width", "height")
_NUMBERS = {"box": _CORNERS, "ellipse": _ELLIPSE, "mask": _EXTENT}
_READ = ("box", "polygon", "ellipse", "mask")
_LEFT_OUT = ("polyline", "points", "cuboid", "skeleton", "tag")
_OF_IMAGES = 100
"""So many files that are named like an image are looked into: CVAT's are named otherwise."""


class _Shape(NamedTuple):
    """A shape; ``numbers`` are its corners, its polygon, or an ellipse's centre and radii."""

    place: int
    kind: str
    label: str
    numbers: tuple[float, ...]
    angle: float


@dataclass(slots=True)
class _Entry:
    """An image in a file, and whether it has shapes of kinds that are not read."""

    path: str
    size: tuple[int, int] | None
    shapes: list[_Shape] = field(default_factory=list)
    has_others: bool = False

    @property
    def is_labelled(self) -> bool:
        """Whether its boxes are known: of what has other shapes alone they are not."""
        return bool(self.shapes) or not self.has_others


@dataclass(slots=True)
class _Content:
    """What all files say: labels that a task declares, images, and what was wrong."""

    labels: dict[str, None] = field(default_factory=dict)
    entries: dict[str, _Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return bool(_find_files(listing))


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names; None = classes.txt in its folder, else the labels that the
            tasks declare, in their order, and then others that shapes have, sorted.
        reader: Reads the images.

    Raises:
        InputError: If there is no such file, no class name or no image.
    """
    index = ImageIndex(listing.images)
    paths = _find_files(listing) or listing.of(".xml")
    content = _Content(problems=index.alike() + not_read(listing, ".xml", paths, "cvat"))
    for path in paths:
        try:
            with understanding(path):
                _add_file(path, _finder(path, listing, index), content)
        except UnreadableFileError as error:
            content.problems.append(Problem(path, None, error.reason, "error"))
    listing.require_images()
    if not content.entries and not content.labels:
        why = first_of(content.problems)
        raise InputError(
            f"{listing.root}: no image in a file of CVAT (annotations.xml) found{why}"
        )
    class_names = _class_names(listing.root, names, content)
    ids = {name: class_id for class_id, name in enumerate(class_names)}

    def find_labels(image: ImageFile) -> Checked:
        entry = content.entries.get(image.path)
        if entry is None or not entry.is_labelled:
            return None, []
        return _labels(entry, image, ids)

    report = assemble(listing.images, class_names, find_labels, content.problems, reader)
    partly = frozenset(path for path, entry in content.entries.items() if entry.has_others)
    return question_fractions(replace(report, partly=partly))


def written_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names as `write` writes them, with single spaces.

    Raises:
        InputError: If a name is empty, or no difference between two is left.
    """
    return plain_names(class_names)


def write(
    folder: Path,
    images: ImageSet,
    put: Put = copy_file,
    on_progress: OnProgress | None = None,
) -> None:
    """Write ``images/`` and ``annotations.xml`` into a new folder.

    Corners are rounded to a millionth of a pixel.

    Args:
        folder: New or empty folder.
        images: Images with labels, to be written.
        put: Puts an image file at its place in the folder, such as `copy_file`.
        on_progress: Called while the images are put.

    Raises:
        InputError: If `folder` is not empty, or a class cannot be named.
    """
    class_names = written_names(images.class_names)
    new_folder(folder)
    names = put_images(folder / "images", images, put, on_progress)
    root = ET.Element(_ROOT)
    ET.SubElement(root, "version").text = "1.1"
    declared = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for class_name in class_names:
        ET.SubElement(ET.SubElement(declared, "label"), "name").text = class_name
    for number, (name, width, height, labels) in enumerate(labelled_rows(names, images)):
        known = {"id": number, "name": name, "width": width, "height": height}
        image = ET.SubElement(root, "image", {key: str(value) for key, value in known.items()})
        for class_id, corners in corner_texts(labels, width, height):
            shape = {"label": class_names[class_id], "source": "manual", "occluded": "0"}
            shape |= zip(_CORNERS, corners, strict=True)
            ET.SubElement(image, "box", shape | {"z_order": "0"})
    ET.indent(root)
    ET.ElementTree(root).write(
        folder / "annotations.xml", encoding="utf-8", xml_declaration=True
    )


def _find_files(listing: Listing) -> list[str]:
    """Return the XML files of this kind.

    Of those named like an image, of which Pascal VOC has 200,000, the first ones are looked at.
    """
    stems = {stem_and_suffix(path.rpartition("/")[2])[0] for path in listing.images}
    apart, of_images = list[str](), list[str]()
    for path in listing.of(".xml"):
        named = stem_and_suffix(path.rpartition("/")[2])[0] in stems
        (of_images if named else apart).append(path)
    looked_at = sorted([*apart, *of_images[:_OF_IMAGES]])
    return list(filter(is_cvat, looked_at))


def _class_names(root: Path, names: Path | None, content: _Content) -> tuple[str, ...]:
    shapes = (shape for entry in content.entries.values() for shape in entry.shapes)
    found = {shape.label for shape in shapes} - {""}
    beside = any(os.path.lexists(root / name) for name in NAMES_FILES)
    if content.labels and names is None and not beside:
        return (*content.labels, *sorted(found - content.labels.keys()))
    return find_class_names(root, names, found, content.problems)


def _add_file(path: str, find: Find, content: _Content) -> None:
    """Add what a file says to `content`.

    Raises:
        UnreadableFileError: If it cannot be read, or is of another kind.
    """
    n_tracks, n_wrong = 0, 0
    left_out, missing = Counter[str](), list[str]()
    for node in elements(path, "meta", "image", "track"):
        if node.tag == "meta":
            content.labels |= dict.fromkeys(_declared(node))
        elif node.tag == "track":
            n_tracks += 1
        else:
            name = node.get("name", "")
            found = find(name, node.get("subset", "")) if name else ()
            if name and not found:
                missing.append(name)
                continue
            wrong = _add_image(path, node, found, content, left_out)
            content.problems += wrong
            n_wrong += len(wrong)
            if n_wrong > MOST_WRONG:
                raise UnreadableFileError(path, f"more than {MOST_WRONG:,} images are wrong")
    if n_tracks:
        reason = (
            f"{n_tracks} tracks: this is CVAT for video, which is not read; export the task as "
            "CVAT for images 1.1"
        )
        raise UnreadableFileError(path, reason)
    content.problems += missing_images(path, missing)
    content.problems += _left_out(path, left_out, content)


def _left_out(path: str, left_out: Counter[str], content: _Content) -> list[Problem]:
    """Return what to say of the shapes of a file that are not read."""
    problems = []
    if left_out:
        counts = ", ".join(f"{number} {kind}" for kind, number in sorted(left_out.items()))
        reason = f"shapes of which no box is known, left out: {counts}"
        problems.append(Problem(path, None, reason, "warning"))
    of_file = (entry for entry in content.entries.values() if entry.path == path)
    if n_unlabelled := sum(not entry.is_labelled for entry in of_file):
        reason = f"{n_unlabelled} images have none but shapes left out: they are unlabelled"
        problems.append(Problem(path, None, reason, "note"))
    return problems


def _declared(meta: Any) -> Iterable[str]:
    """Return the labels that a task declares; those within a skeleton are none of their own."""
    for label in meta.iter("label"):
        name = (label.findtext("name") or "").strip()
        if name and label.find("parent") is None:
            yield name


def _finder(path: str, listing: Listing, index: ImageIndex) -> Find:
    """Return a function from name and subset of an image in the file at `path` to its path."""
    root, beside = listing.root.as_posix(), path.rpartition("/")[0]
    folders = (f"{beside}/images", beside, f"{root}/images", root)

    def find(name: str, subset: str) -> tuple[str, ...]:
        found = index.find(f"{subset}/{name}", folders) if subset else ()
        return found if len(found) == 1 else index.find(name, folders)

    return find


def _add_image(
    path: str,
    node: Any,
    found: tuple[str, ...],
    content: _Content,
    left_out: Counter[str],
) -> list[Problem]:
    """Add an image to `content`, and shapes that are not read to `left_out`."""
    name = node.get("name", "")
    wrong = _not_one(path, name, found, content.entries)
    if wrong is not None:
        return [wrong]
    try:
        size = listed_size(node.get("width"), node.get("height"))
    except ValueError as error:
        return [Problem(path, None, f"image {name!r}: {error}", "error", found[0])]
    entry = content.entries[found[0]] = _Entry(path, size)
    for place, shape in enumerate(node, start=1):
        if shape.get("outside") == "1":
            left_out["outside of the image"] += 1
        elif shape.tag not in _READ:
            entry.has_others = True
            left_out[shape.tag if shape.tag in _LEFT_OUT else "of other kinds"] += 1
        else:
            entry.shapes.append(_shape(place, shape))
    return []


def _not_one(
    path: str, name: str, found: tuple[str, ...], entries: Mapping[str, _Entry]
) -> Problem | None:
    """Return what is wrong if a name is empty, or means several images or one listed before."""
    if not name:
        return Problem(path, None, "expected images with a name", "error", "")
    if len(found) > 1:
        return Problem(path, None, which_image(name, found), "error", found[0])
    if found[0] in entries:
        first = entries[found[0]].path
        where = "twice" if first == path else f"in {first} too"
        return Problem(path, None, f"image {name!r} is listed {where}", "error", found[0])
    return None


def _shape(place: int, node: Any) -> _Shape:
    """Return a shape; numbers that are missing or none are NaN."""
    if node.tag == "polygon":
        texts = node.get("points", "").replace(";", ",").split(",")
    else:
        texts = [node.get(key) for key in _NUMBERS[node.tag]]
    label = (node.get("label") or "").strip()
    angle = math.radians(_number(node.get("rotation") or "0"))
    return _Shape(place, node.tag, label, tuple(map(_number, texts)), angle)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _labels(entry: _Entry, image: ImageFile, ids: dict[str, int]) -> Checked:
    if entry.size not in (None, (image.width, image.height)):
        reason = f"{image.path} is listed as {entry.size}, but is {(image.width, image.height)}"
        return None, [Problem(entry.path, None, f"{reason} pixels", "error")]
    boxes, problems = [], []
    name = image.path.rpartition("/")[2]
    for shape in entry.shapes:
        what = f"image {name!r}: shape {shape.place} ({shape.label}): "
        try:
            boxes.append(_box(shape, ids, image, what))
        except ValueError as error:
            problems.append(Problem(entry.path, None, f"{what}{error}", "error"))
    labels, wrong = check_boxes(entry.path, boxes, image, len(ids))
    return labels, problems + wrong


def _box(shape: _Shape, ids: dict[str, int], image: ImageFile, what: str) -> Box:
    """Return the box of a shape.

    Raises:
        ValueError: If its label is unknown, or a number is missing.
    """
    if shape.label not in ids:
        raise ValueError("no class of the class list")
    class_id = ids[shape.label]
    if shape.kind == "polygon":
        if not is_outline(shape.numbers):
            raise ValueError("expected a polygon of three corners or more, x,y;x,y;...")
        return box_around(class_id, [shape.numbers], image, what)
    if not all(map(math.isfinite, (*shape.numbers, shape.angle))):
        keys = ", ".join(_NUMBERS[shape.kind])
        raise ValueError(f"expected finite numbers as {keys} (and rotation)")
    first, second, third, fourth = shape.numbers
    if shape.kind == "mask":
        extent = (first, second, first + third, second + fourth)
        return box_of_corners(class_id, extent, image, what=what)
    if shape.kind == "ellipse":
        around = box_of_ellipse((first, second), (third, fourth), shape.angle, image)
        return box_of_corners(class_id, around, image, what=what)
    if not shape.angle:
        return box_of_corners(class_id, (first, second, third, fourth), image, what=what)
    centre = ((first + third) / 2, (second + fourth) / 2)
    turned = turned_box(centre, (third - first, fourth - second), shape.angle, image)
    return box_around(class_id, [turned], image, what)

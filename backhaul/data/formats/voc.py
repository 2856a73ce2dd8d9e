"""Pascal VOC: an XML file an image, with corners in pixels and the names of classes.

Corners are taken for edges, as LabelImg and CVAT write them: a box from 10 to 20 is 10 px wide.
Objects may have outlines beside their box, or in its place: ``polygon`` as Roboflow
(``x1, y1, x2, y2, ...``) and LabelMe (``pt``) write it, and ``robndbox``, the turned box of
roLabelImg (``cx, cy, w, h``, and ``angle`` in radians). Without a ``bndbox`` the box is that
around the outline, or around all of them where an object has several; an outline is kept if
it is the only one, and has three corners.

An annotation belongs to the image with its stem, ``JPEGImages/a.jpg`` to ``Annotations/a.xml``,
or to the one beside it. An image without one is unlabelled; one without objects has none.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from backhaul.data.filenames import LabelFiles, one_form
from backhaul.data.formats.assembly import Checked, assemble, question_fractions
from backhaul.data.formats.checks import Box, box_of_corners, check_boxes, listed_size
from backhaul.data.formats.files import (
    Listing,
    find_class_names,
    of_files,
    shared_stems,
    stem_and_suffix,
    with_folder,
    without_images,
)
from backhaul.data.formats.outlines import (
    Outline,
    box_around,
    in_fractions,
    is_outline,
    turned_box,
)
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.formats.writing import (
    Put,
    copy_file,
    corner_texts,
    labelled_rows,
    new_folder,
    plain_names,
    put_images,
    write_names,
)
from backhaul.data.formats.xmlfile import is_cvat, read_tree, root_tag
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, understanding
from backhaul.values.images import ImageSet

_FOLDERS = (("JPEGImages", "Annotations"), ("images", "annotations"), ("images", "labels"))
_ROOT = "annotation"
_MOST_THINGS = 100_000
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_TURNED = ("cx", "cy", "w", "h", "angle")


class _Thing(NamedTuple):
    """An object of an annotation, in pixels.

    ``corners`` are NaN where a number is missing, None if it has no bndbox. ``turned`` are the
    numbers of a robndbox.
    """

    number: int
    name: str
    corners: tuple[float, float, float, float] | None
    outlines: tuple[Outline, ...] = ()
    turned: tuple[float, ...] | None = None


class _ForeignFileError(UnreadableFileError):
    """An XML file of another kind."""


class _Annotation(NamedTuple):
    path: str
    filename: str
    size: tuple[int, int] | None
    things: tuple[_Thing, ...]


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return any(root_tag(path) == _ROOT for path in listing.of(".xml"))


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names; None = classes.txt in its folder, else all names in the
            annotations, sorted.
        reader: Reads the images.

    Raises:
        InputError: If there is no class name or no image.
    """
    listing.require_images()
    annotations, problems = _read_annotations(listing)
    found = {thing.name for annotation in annotations for thing in annotation.things} - {""}
    class_names = find_class_names(listing.root, names, found, problems)
    of_image, orphans = _match(listing, annotations)
    ids = {name: class_id for class_id, name in enumerate(class_names)}

    def find_labels(image: ImageFile) -> Checked:
        annotation = of_image.get(image.path)
        return (None, []) if annotation is None else _labels(annotation, image, ids)

    problems += orphans + shared_stems(listing.images)
    report = assemble(listing.images, class_names, find_labels, problems, reader)
    return question_fractions(report)


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
    """Write ``JPEGImages/``, ``Annotations/`` and ``classes.txt`` into a new folder.

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
    names = put_images(folder / "JPEGImages", images, put, on_progress)
    write_names(folder, class_names)
    (folder / "Annotations").mkdir()
    for name, width, height, labels in labelled_rows(names, images):
        root = ET.Element("annotation")
        _add(root, "filename", name)
        size = ET.SubElement(root, "size")
        for key, value in (("width", width), ("height", height), ("depth", 3)):
            _add(size, key, value)
        for class_id, corners in corner_texts(labels, width, height):
            thing = ET.SubElement(root, "object")
            _add(thing, "name", class_names[class_id])
            box = ET.SubElement(thing, "bndbox")
            for key, text in zip(_CORNERS, corners, strict=True):
                _add(box, key, text)
        ET.indent(root)
        path = folder / "Annotations" / f"{stem_and_suffix(name)[0]}.xml"
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _add(parent: ET.Element, name: str, value: object) -> None:
    ET.SubElement(parent, name).text = str(value)


def _read_annotations(listing: Listing) -> tuple[list[_Annotation], list[Problem]]:
    annotations, problems = [], []
    names: dict[str, str] = {}
    foreign: dict[str, list[str]] = {}
    for path in listing.of(".xml"):
        try:
            annotations.append(_read_annotation(path, names))
        except _ForeignFileError as error:
            foreign.setdefault(error.reason, []).append(path)
        except UnreadableFileError as error:
            problems.append(Problem(path, None, error.reason, "error"))
    problems += [
        of_files(paths, listing.root.as_posix(), ".xml", reason, "warning")
        for reason, paths in foreign.items()
    ]
    return annotations, problems


def _read_annotation(path: str, names: dict[str, str]) -> _Annotation:
    """Return what an XML file says.

    Raises:
        UnreadableFileError: If it cannot be read, or is no annotation.
    """
    root = read_tree(path)
    with understanding(path):
        if root.tag == _ROOT:
            return _parse(path, root, names)
        what = "is in CVAT's own format (cvat), not" if is_cvat(path) else "is not"
        raise _ForeignFileError(path, f"{what} Pascal VOC: passed over")


def _parse(path: str, root: Any, names: dict[str, str]) -> _Annotation:
    found = root.findall("object")
    if len(found) > _MOST_THINGS:
        raise UnreadableFileError(
            path, f"has {len(found):,} objects, expected at most {_MOST_THINGS:,}"
        )
    # One string a class, not one an object: a large set has millions of objects.
    things = [_thing(number, node, names) for number, node in enumerate(found, start=1)]
    try:
        size = listed_size(root.findtext("size/width"), root.findtext("size/height"))
    except ValueError as error:
        raise UnreadableFileError(path, f"size: {error}") from None
    return _Annotation(path, root.findtext("filename") or "", size, tuple(things))


def _thing(number: int, node: Any, names: dict[str, str]) -> _Thing:
    name = (node.findtext("name") or "").strip()
    turned, box = node.find("robndbox"), node.find("bndbox")
    corners = None
    if box is not None:
        x1, y1, x2, y2 = (_number(box.findtext(key)) for key in _CORNERS)
        corners = (x1, y1, x2, y2)
    return _Thing(
        number,
        names.setdefault(name, name),
        corners,
        tuple(_outline(polygon) for polygon in node.findall("polygon")),
        None if turned is None else tuple(_number(turned.findtext(key)) for key in _TURNED),
    )


def _outline(polygon: Any) -> Outline:
    """Return the corners in a polygon, as far as they are numbered or are points."""
    points = polygon.findall("pt")
    if points:
        return tuple(_number(point.findtext(axis)) for point in points for axis in ("x", "y"))
    of_tag = {child.tag: child.text for child in polygon}
    numbers = range(1, len(of_tag) // 2 + 1)
    return tuple(_number(of_tag.get(f"{axis}{i}")) for i in numbers for axis in ("x", "y"))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _match(
    listing: Listing, annotations: list[_Annotation]
) -> tuple[dict[str, _Annotation], list[Problem]]:
    """Return the annotation of each image, and a problem for each annotation without image."""
    of_path = {annotation.path: annotation for annotation in annotations}
    every = (path for image in listing.images for path in _places(image))
    files = LabelFiles(of_path, every)
    of_image = {}
    problems: list[Problem] = []
    for image in listing.images:
        try:
            paths = dict.fromkeys(map(files.at, _places(image)))
        except InputError as error:
            problems.append(Problem(image, None, str(error), "error"))
            continue
        found = [of_path[path] for path in paths if path in of_path]
        if found:
            of_image[image] = found[0]
        for other in found[1:]:
            if other.things != found[0].things:
                reason = f"which are its labels: {found[0].path} or {other.path}? They differ"
                problems.append(Problem(image, None, reason, "error"))
    taken = {annotation.path for annotation in of_image.values()}
    free: dict[str, list[str]] = {}
    for image in listing.images:
        if image not in of_image:
            free.setdefault(_stem(image), []).append(image)
    left = [annotation for annotation in annotations if annotation.path not in taken]
    return of_image, problems + _match_stems(left, free, of_image)


def _match_stems(
    left: list[_Annotation], free: dict[str, list[str]], of_image: dict[str, _Annotation]
) -> list[Problem]:
    """Add to `of_image` the images whose stem one annotation has, or names as its file."""
    problems, lost = list[Problem](), list[str]()
    for annotation in left:
        stems = (_stem(annotation.path), _stem(annotation.filename))
        stem = next((stem for stem in stems if stem in free), None)
        if stem is None:
            lost.append(annotation.path)
        elif len(free[stem]) > 1 or free[stem][0] in of_image:
            reason = f"which image is it about? Several files have the stem {stem!r}"
            problems.append(Problem(annotation.path, None, reason, "error"))
        else:
            of_image[free[stem][0]] = annotation
    return problems + without_images(lost, ".xml")


def _places(image: str) -> list[str]:
    beside = stem_and_suffix(image)[0] + ".xml"
    apart = [with_folder(beside, images, labels) for images, labels in _FOLDERS]
    return [beside, *(path for path in apart if path is not None)]


def _stem(path: str) -> str:
    return one_form(stem_and_suffix(path.replace("\\", "/").rpartition("/")[2])[0])


def _labels(annotation: _Annotation, image: ImageFile, ids: dict[str, int]) -> Checked:
    path = annotation.path
    if annotation.size not in (None, (image.width, image.height)):
        reason = (
            f"annotated at {annotation.size}, but the image is {(image.width, image.height)}"
        )
        return None, [Problem(path, None, reason + " pixels", "error")]
    boxes, problems = [], []
    for thing in annotation.things:
        what = f"object {thing.number} ({thing.name}): "
        if thing.name not in ids:
            problems.append(Problem(path, None, f"{what}no class of the class list", "error"))
            continue
        try:
            boxes.append(_box(thing, ids[thing.name], image, what))
        except ValueError as error:
            problems.append(Problem(path, None, f"{what}{error}", "error"))
    labels, wrong = check_boxes(path, boxes, image, len(ids))
    return labels, problems + wrong


def _box(thing: _Thing, class_id: int, image: ImageFile, what: str) -> Box:
    """Return the box of an object, with its outline if it has one.

    Raises:
        ValueError: If a number is missing.
    """
    outlines = list(thing.outlines)
    if thing.turned is not None:
        if not all(map(math.isfinite, thing.turned)):
            raise ValueError(f"expected a robndbox with {', '.join(_TURNED)}")
        cx, cy, w, h, angle = thing.turned
        outlines.append(turned_box((cx, cy), (w, h), angle, image))
    good = all(map(is_outline, outlines))
    if thing.corners is None and outlines:
        if not good:
            raise ValueError("expected a polygon of three corners or more, x1, y1, x2, y2, ...")
        return box_around(class_id, outlines, image, what)
    if thing.corners is None or any(map(math.isnan, thing.corners)):
        raise ValueError(f"expected a bndbox with {', '.join(_CORNERS)}")
    outline = in_fractions(outlines[0], image) if good and len(outlines) == 1 else None
    return box_of_corners(class_id, thing.corners, image, what=what)._replace(outline=outline)

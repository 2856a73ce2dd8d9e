"""Pascal VOC: an XML file an image, with corners in pixels and the names of classes.

Corners are taken for edges, as LabelImg and CVAT write them: a box from 10 to 20 is 10 px wide.
An annotation belongs to the image with its stem, ``JPEGImages/a.jpg`` to ``Annotations/a.xml``,
or to the one beside it. An image without one is unlabelled; one without objects has none.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers.expat import ErrorString

from defusedxml.ElementTree import fromstring

from backhaul.data.formats.assembly import Checked, assemble
from backhaul.data.formats.checks import box_of_corners, check_boxes
from backhaul.data.formats.filenames import one_form
from backhaul.data.formats.files import (
    Listing,
    find_class_names,
    scan,
    shared_stems,
    stem_and_suffix,
    with_folder,
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
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.untrusted import UnreadableFileError, open_file, read_bytes, understanding
from backhaul.values.images import ImageSet

_FOLDERS = (("JPEGImages", "Annotations"), ("images", "annotations"), ("images", "labels"))
_HEAD_BYTES = 4096
_MOST_THINGS = 100_000
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Thing(NamedTuple):
    """An object of an annotation; ``corners`` are NaN where a number is missing."""

    number: int
    name: str
    corners: tuple[float, float, float, float]


class _Annotation(NamedTuple):
    path: str
    filename: str
    size: tuple[int, int] | None
    things: tuple[_Thing, ...]


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return any(b"<annotation" in _head(path) for path in listing.of(".xml"))


def _head(path: str) -> bytes:
    """Return the beginning of a file; nothing if it cannot be read, which its reader says."""
    try:
        with open_file(path) as file:
            return file.read(_HEAD_BYTES)
    except UnreadableFileError:
        return b""


def read(root: Path, names: Path | None = None, reader: ImageReader = FROM_DISK) -> DataReport:
    """Return the data set below `root`.

    Args:
        root: Its folder.
        names: File of class names; None = classes.txt in `root`, else all names in the
            annotations, sorted.
        reader: Reads the images.

    Raises:
        InputError: If there is no class name or no image.
    """
    listing = scan(root)
    listing.require_images()
    annotations, problems = _read_annotations(listing)
    found = {thing.name for annotation in annotations for thing in annotation.things} - {""}
    class_names = find_class_names(listing.root, names, found)
    of_image, orphans = _match(listing, annotations)
    ids = {name: class_id for class_id, name in enumerate(class_names)}

    def find_labels(image: ImageFile) -> Checked:
        annotation = of_image.get(image.path)
        return (None, []) if annotation is None else _labels(annotation, image, ids)

    problems += orphans + shared_stems(listing.images)
    return assemble(listing.images, class_names, find_labels, problems, reader)


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
    for path in listing.of(".xml"):
        try:
            annotation = _read_annotation(path, names)
        except UnreadableFileError as error:
            problems.append(Problem(path, None, error.reason, "error"))
            continue
        if annotation is not None:
            annotations.append(annotation)
    return annotations, problems


def _read_annotation(path: str, names: dict[str, str]) -> _Annotation | None:
    """Return what an XML file says; None if it is no annotation.

    Raises:
        UnreadableFileError: If it cannot be read.
    """
    data = read_bytes(path)
    with understanding(path):
        try:
            root = fromstring(data)
        except ET.ParseError as error:
            line, column = error.position
            reason = f"expected XML: {ErrorString(error.code)}, line {line}, column {column}"
            raise UnreadableFileError(path, reason) from None
        except Exception as error:  # unknown encodings, entities, depth, ...
            raise UnreadableFileError(path, f"expected XML ({type(error).__name__})") from None
        return _parse(path, root, names) if root.tag == "annotation" else None


def _parse(path: str, root: Any, names: dict[str, str]) -> _Annotation:
    things = []
    found = root.findall("object")
    if len(found) > _MOST_THINGS:
        raise UnreadableFileError(
            path, f"has {len(found):,} objects, expected at most {_MOST_THINGS:,}"
        )
    for number, node in enumerate(found, start=1):
        name = (node.findtext("name") or "").strip()
        x1, y1, x2, y2 = (_number(node.findtext(f"bndbox/{key}")) for key in _CORNERS)
        # One string a class, not one an object: a large set has millions of objects.
        things.append(_Thing(number, names.setdefault(name, name), (x1, y1, x2, y2)))
    width, height = (_number(root.findtext(f"size/{key}")) for key in ("width", "height"))
    known = 0 < width < math.inf and 0 < height < math.inf
    size = (int(width), int(height)) if known else None
    return _Annotation(path, root.findtext("filename") or "", size, tuple(things))


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
    of_image = {}
    for image in listing.images:
        path = next((path for path in _places(image) if path in of_path), None)
        if path is not None:
            of_image[image] = of_path[path]
    taken = {annotation.path for annotation in of_image.values()}
    free: dict[str, list[str]] = {}
    for image in listing.images:
        if image not in of_image:
            free.setdefault(_stem(image), []).append(image)
    left = [annotation for annotation in annotations if annotation.path not in taken]
    return of_image, _match_stems(left, free, of_image)


def _match_stems(
    left: list[_Annotation], free: dict[str, list[str]], of_image: dict[str, _Annotation]
) -> list[Problem]:
    """Add to `of_image` the images whose stem one annotation has, or names as its file."""
    problems = []
    for annotation in left:
        stems = (_stem(annotation.path), _stem(annotation.filename))
        stem = next((stem for stem in stems if stem in free), None)
        if stem is None:
            reason = "labels without an image"
            problems.append(Problem(annotation.path, None, reason, "warning"))
        elif len(free[stem]) > 1 or free[stem][0] in of_image:
            reason = f"which image is it about? Several files have the stem {stem!r}"
            problems.append(Problem(annotation.path, None, reason, "error"))
        else:
            of_image[free[stem][0]] = annotation
    return problems


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
    for number, name, corners in annotation.things:
        what = f"object {number} ({name}): "
        if name not in ids:
            problems.append(Problem(path, None, f"{what}no class of the class list", "error"))
        elif any(map(math.isnan, corners)):
            reason = f"{what}expected a bndbox with {', '.join(_CORNERS)}"
            problems.append(Problem(path, None, reason, "error"))
        else:
            boxes.append(box_of_corners(ids[name], corners, image, what=what))
    labels, wrong = check_boxes(path, boxes, image, len(ids))
    return labels, problems + wrong

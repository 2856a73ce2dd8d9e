"""KITTI: a text file an image, one line of 15 columns an object, with corners in pixels.

Columns are type, truncated, occluded, alpha, left, top, right, bottom, and seven of the object
in space; a sixteenth is a score. All but the type, which is one word, are numbers. Type and box
are read. Labels of ``image_2/a.png`` lie in ``label_2/a.txt``, those of ``images/a.png`` in
``labels/a.txt``; without such a file an image is unlabelled, with an empty one it has no
objects; two that differ are an error. Corners are taken for edges, as in Pascal VOC.
``DontCare``, in any case, marks regions nobody labelled, not objects; it is left out.

Source: Geiger, Lenz, Urtasun, "Are we ready for autonomous driving? The KITTI vision benchmark
suite", CVPR 2012, and the readme of its object development kit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from backhaul.data.filenames import LabelFiles
from backhaul.data.formats.assembly import Checked, assemble, question_fractions
from backhaul.data.formats.checks import box_of_corners, check_boxes
from backhaul.data.formats.files import (
    Listing,
    by_folder,
    find_class_names,
    orphans,
    read_lines,
    shared_stems,
    stem_and_suffix,
    with_folder,
)
from backhaul.data.formats.passedover import unclaimed_labels
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
from backhaul.errors import InputError
from backhaul.untrusted import UnreadableFileError, open_file, understanding
from backhaul.values.images import ImageSet

_FOLDERS = (("image_2", "label_2"), ("images", "labels"))
_WIDTHS = (15, 16)
_BOX = slice(4, 8)
_DONT_CARE = "DontCare"
_HEAD_BYTES = 4096
_UNKNOWN_BEFORE = "-1 -1 -10"  # truncated, occluded, alpha, as the development kit has them
_UNKNOWN_AFTER = "-1 -1 -1 -1000 -1000 -1000 -10"  # dimensions, location, rotation_y


class _Thing(NamedTuple):
    line: int
    name: str
    corners: tuple[float, float, float, float]


class _LabelFile(NamedTuple):
    """A parsed label file; ``things`` is None if it is no text."""

    path: str
    things: tuple[_Thing, ...] | None
    n_dont_care: int
    problems: tuple[Problem, ...]


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    paths = sorted(path for some in _label_files(listing)[0].values() for path in some)
    return any("/label_2/" in path for path in paths) or is_kitti(paths)


def is_kitti(paths: Iterable[str]) -> bool:
    """Return whether the first non-empty text file has lines of this format.

    The type must be a word, and the others numbers: 15 numbers are a polygon of YOLO.
    """
    for path in paths:
        if text := _head(path).strip():
            fields = text.splitlines()[0].split()
            numbers = [_is_number(field) for field in fields]
            return len(fields) in _WIDTHS and not numbers[0] and all(numbers[1:])
    return False


def _head(path: str) -> str:
    """Return the beginning of a text; empty if it cannot be read, which its reader says."""
    try:
        with open_file(path) as file:
            return file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
    except UnreadableFileError:
        return ""


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names; None = classes.txt in its folder, else all types in the
            labels, sorted.
        reader: Reads the images.

    Raises:
        InputError: If there is no class name or no image.
    """
    listing.require_images()
    paths, problems = _label_files(listing)
    files, wrong_files = _read_files(paths)
    problems += wrong_files
    found = {thing.name for file in files.values() for thing in file.things or ()}
    wrong = [problem for file in files.values() for problem in file.problems]
    class_names = find_class_names(listing.root, names, found, problems + wrong)
    ids = {name: class_id for class_id, name in enumerate(class_names)}

    def find_labels(image: ImageFile) -> Checked:
        file = files.get(image.path)
        return (None, []) if file is None else _labels(file, image, ids)

    problems += _dont_care(listing.root, files.values())
    problems += _left_over(listing, paths) + shared_stems(listing.images)
    report = assemble(listing.images, class_names, find_labels, problems, reader)
    return question_fractions(report)


def written_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names as `write` writes them: each is one word.

    Raises:
        InputError: If a name is empty or ``DontCare``, or no difference between two is left.
    """
    written = plain_names(class_names, "_")
    taken = next(filter(_is_dont_care, written), None)
    if taken is not None:
        raise InputError(f"class {taken!r}: KITTI has this name for what is no object")
    return written


def write(
    folder: Path,
    images: ImageSet,
    put: Put = copy_file,
    on_progress: OnProgress | None = None,
) -> None:
    """Write ``image_2/``, ``label_2/`` and ``classes.txt`` into a new folder.

    Corners are rounded to a millionth of a pixel; other columns have the values that the
    development kit has for what is not known.

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
    names = put_images(folder / "image_2", images, put, on_progress)
    write_names(folder, class_names)
    (folder / "label_2").mkdir()
    for name, width, height, labels in labelled_rows(names, images):
        lines = [
            f"{class_names[class_id]} {_UNKNOWN_BEFORE} {' '.join(corners)} {_UNKNOWN_AFTER}\n"
            for class_id, corners in corner_texts(labels, width, height)
        ]
        path = folder / "label_2" / f"{stem_and_suffix(name)[0]}.txt"
        path.write_text("".join(lines), encoding="utf-8")


def _places(image: str) -> list[str]:
    beside = stem_and_suffix(image)[0] + ".txt"
    apart = [with_folder(beside, images, labels) for images, labels in _FOLDERS]
    return [path for path in apart if path is not None]


def _label_files(listing: Listing) -> tuple[dict[str, list[str]], list[Problem]]:
    """Return the label files of each image that has some, and images where they are unclear."""
    texts = frozenset(listing.of(".txt"))
    files = LabelFiles(texts, (path for image in listing.images for path in _places(image)))
    found, problems = dict[str, list[str]](), list[Problem]()
    for image in listing.images:
        try:
            paths = list(dict.fromkeys(map(files.at, _places(image))))
        except InputError as error:
            problems.append(Problem(image, None, str(error), "error"))
            continue
        if there := [path for path in paths if path in texts]:
            found[image] = there
    return found, problems


def _read_files(
    paths: Mapping[str, Sequence[str]],
) -> tuple[dict[str, _LabelFile], list[Problem]]:
    """Return the labels of each image, but of those with two files that differ."""
    files, problems = dict[str, _LabelFile](), list[Problem]()
    for image, places in paths.items():
        first, *others = map(_read_file, places)
        unreadable = [file for file in (first, *others) if file.things is None]
        differ = [file for file in others if not _agree(first, file)]
        if unreadable or not differ:
            files[image] = (*unreadable, first)[0]
            continue
        reason = f"which are its labels: {first.path} or {differ[0].path}? They differ"
        problems.append(Problem(image, None, f"{reason}; expected one", "error"))
    return files, problems


def _agree(file: _LabelFile, other: _LabelFile) -> bool:
    return [thing[1:] for thing in file.things or ()] == [
        thing[1:] for thing in other.things or ()
    ]


def _left_over(listing: Listing, paths: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return a warning for each folder with labels that no image has."""
    claimed = {path for some in paths.values() for path in some}
    claimed |= {path for image in listing.images for path in _places(image)}
    folders = set(by_folder(claimed))
    told = {path for path in listing.of(".txt") if path.rpartition("/")[0] in folders}
    elsewhere = unclaimed_labels(listing, told, lambda path: is_kitti([path]))
    return orphans(listing, ".txt", claimed) + elsewhere


def _read_file(path: str) -> _LabelFile:
    try:
        with understanding(path):
            return _parse(path, read_lines(path))
    except UnreadableFileError as error:
        return _LabelFile(path, None, 0, (Problem(path, None, error.reason, "error"),))


def _parse(path: str, lines: Sequence[str]) -> _LabelFile:
    things, problems, n_dont_care = [], [], 0
    for number, line in enumerate(lines, start=1):
        if any(map(_is_dont_care, line.split(maxsplit=1)[:1])):
            n_dont_care += 1
        elif line.strip():
            try:
                things.append(_parse_line(line, number))
            except ValueError as error:
                problems.append(Problem(path, number, str(error), "error"))
    return _LabelFile(path, tuple(things), n_dont_care, tuple(problems))


def _parse_line(line: str, number: int) -> _Thing:
    fields = line.split()
    if len(fields) not in _WIDTHS:
        raise ValueError(
            "expected 15 columns (type truncated occluded alpha left top right bottom and 7 "
            f"more), or 16 with a score, got {len(fields)}"
        )
    wrong = next((i for i, field in enumerate(fields) if i and not _is_number(field)), None)
    if wrong is not None:
        more = "; a type is one word, as fire_hydrant" if wrong == 1 else ""
        raise ValueError(f"column {wrong + 1} is no number, expected 14 or 15 of them{more}")
    x1, y1, x2, y2 = map(float, fields[_BOX])
    return _Thing(number, fields[0], (x1, y1, x2, y2))


def _labels(file: _LabelFile, image: ImageFile, ids: dict[str, int]) -> Checked:
    problems = list(file.problems)
    if file.things is None:
        return None, problems
    boxes = []
    for line, name, corners in file.things:
        if name in ids:
            boxes.append(box_of_corners(ids[name], corners, image, line))
        else:
            reason = f"{name!r} is no class of the class list"
            problems.append(Problem(file.path, line, reason, "error"))
    labels, wrong = check_boxes(file.path, boxes, image, len(ids))
    return labels, problems + wrong


def _dont_care(root: Path, files: Iterable[_LabelFile]) -> list[Problem]:
    counts = [file.n_dont_care for file in files if file.n_dont_care]
    if not counts:
        return []
    reason = f"{sum(counts)} {_DONT_CARE} regions in {len(counts)} files left out"
    return [Problem(root.as_posix(), None, reason, "warning")]


def _is_dont_care(name: str) -> bool:
    return name.casefold() == _DONT_CARE.casefold()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

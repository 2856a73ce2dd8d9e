"""CSV: a table with a header and one row a box, with corners in pixels.

Columns are ``filename, width, height, class, xmin, ymin, xmax, ymax``, in any order, as the
TensorFlow object detection tutorials and Roboflow have them; width and height may be missing.
`_SYNONYMS` are understood too, and other columns passed over. An image without objects has one
row without class and box; an image that no row names is unlabelled. Corners are taken for
edges, as in Pascal VOC.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from backhaul.data.formats.assembly import Checked, assemble, question_fractions
from backhaul.data.formats.checks import box_of_corners, check_boxes, listed_size
from backhaul.data.formats.files import (
    MOST_WRONG,
    Listing,
    find_class_names,
    unreadable_files,
)
from backhaul.data.formats.imageindex import ImageIndex, missing_images, which_image
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
    write_names,
)
from backhaul.data.images import FROM_DISK, ImageFile, ImageReader, OnProgress
from backhaul.errors import InputError
from backhaul.untrusted import (
    MOST_TABLE_BYTES,
    UnreadableFileError,
    open_file,
    open_text,
    understanding,
)
from backhaul.values.images import ImageSet

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_SYNONYMS = {
    "file": "filename",
    "image": "filename",
    "path": "filename",
    "label": "class",
    "class_name": "class",
    "x1": "xmin",
    "y1": "ymin",
    "x2": "xmax",
    "y2": "ymax",
}
_CORNERS = COLUMNS[4:]
_MOST_LINE = 2**20  # characters; csv itself refuses a cell of more than an eighth of them
_NEEDED = ("filename", "class", *_CORNERS)


class _Row(NamedTuple):
    """A row with its line; ``cells`` are the cells of `COLUMNS`, empty where there are none."""

    line: int
    cells: Mapping[str, str]


class _Thing(NamedTuple):
    line: int
    name: str
    corners: tuple[float, float, float, float]


@dataclass(slots=True)
class _Entry:
    """An image in a table; ``sizes`` maps each of its sizes to a line."""

    table: str
    line: int
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    things: list[_Thing] = field(default_factory=list)
    empty_line: int | None = None


def recognise(listing: Listing) -> bool:
    """Return whether the folder looks like this format."""
    return bool(_find_tables(listing))


def read(
    listing: Listing, names: Path | None = None, reader: ImageReader = FROM_DISK
) -> DataReport:
    """Return the data set of these files.

    Args:
        listing: The files of the data set.
        names: File of class names; None = classes.txt in its folder, else all classes in the
            tables, sorted.
        reader: Reads the images.

    Raises:
        InputError: If there is no table of boxes, no class name or no image, or a table cannot
            be read.
    """
    listing.require_images()
    entries: dict[str, _Entry] = {}
    index = ImageIndex(listing.images)
    tables, unreadable = _require_tables(listing), unreadable_files(listing, ".csv")
    told = {*tables, *(problem.path for problem in unreadable)}
    problems = unreadable + index.alike() + not_read(listing, ".csv", told, "csv")
    for path in tables:
        with understanding(path):
            problems += _add_table(path, listing.root.as_posix(), index, entries)
    found = {thing.name for entry in entries.values() for thing in entry.things}
    class_names = find_class_names(listing.root, names, found, problems)
    ids = {name: class_id for class_id, name in enumerate(class_names)}

    def find_labels(image: ImageFile) -> Checked:
        entry = entries.get(image.path)
        return (None, []) if entry is None else _labels(entry, image, ids)

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
    """Write ``images/``, ``annotations.csv`` and ``classes.txt`` into a new folder.

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
    write_names(folder, class_names)
    with (folder / "annotations.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for name, width, height, labels in labelled_rows(names, images):
            known = (f"images/{name}", width, height)
            if not len(labels):
                table.writerow([*known, "", "", "", "", ""])
            for class_id, corners in corner_texts(labels, width, height):
                table.writerow([*known, class_names[class_id], *corners])


def _columns(header: Iterable[str]) -> list[str]:
    """Return the meaning of each column of a header."""
    plain = [name.strip().casefold() for name in header]
    return [_SYNONYMS.get(name, name) for name in plain]


def _missing(header: Iterable[str]) -> list[str]:
    return [name for name in _NEEDED if name not in _columns(header)]


def _find_tables(listing: Listing) -> list[str]:
    return [path for path in listing.of(".csv") if not _missing(_header(path))]


def _header(path: str) -> list[str]:
    """Return the cells of a table's first line; none if it cannot be read."""
    try:
        with open_file(path, MOST_TABLE_BYTES) as file:
            line = file.readline(_MOST_LINE).decode("utf-8-sig", errors="replace")
        return next(csv.reader([line]), [])
    except (UnreadableFileError, csv.Error):
        return []


def _require_tables(listing: Listing) -> list[str]:
    tables = _find_tables(listing)
    if tables:
        return tables
    others = listing.of(".csv")
    if not others:
        raise InputError(f"{listing.root}: no CSV file found")
    for problem in unreadable_files(listing, ".csv"):
        raise InputError(f"{problem.path}: {problem.reason}")
    raise InputError(
        f"{others[0]}:1: expected a header with {', '.join(_NEEDED)}; there is no "
        f"{', '.join(_missing(_header(others[0])))}"
    )


def _rows(path: str) -> Iterator[_Row]:
    """Yield the rows of a table that are not empty.

    Raises:
        InputError: If it cannot be read, or two columns mean the same.
    """
    with open_text(path) as file:
        rows = csv.reader(iter(partial(file.readline, _MOST_LINE), ""), strict=True)
        try:
            columns = _columns(next(rows, []))
            twice = [name for name in COLUMNS if columns.count(name) > 1]
            if twice:
                raise InputError(f"{path}:1: several columns mean {twice[0]!r}; keep one")
            for cells in rows:
                if any(map(str.strip, cells[len(columns) :])):
                    raise InputError(
                        f"{path}:{rows.line_num}: expected {len(columns)} cells as in the "
                        f"header, got {len(cells)}: is there a comma in a number or a name?"
                    )
                if any(map(str.strip, cells)):
                    known = zip(columns, cells, strict=False)  # a row may end early
                    stripped = {name: cell.strip() for name, cell in known if name in COLUMNS}
                    yield _Row(rows.line_num, dict.fromkeys(COLUMNS, "") | stripped)
        except csv.Error as error:
            raise InputError(f"{path}:{rows.line_num}: expected CSV: {error}") from None


def _add_table(
    path: str, root: str, index: ImageIndex, entries: dict[str, _Entry]
) -> list[Problem]:
    """Add the images in a table to `entries`; return the table's problems."""
    beside = path.rpartition("/")[0]
    folders = (beside, f"{beside}/images", f"{root}/images", root)
    problems: list[Problem] = []
    of_name: dict[str, Problem] = {}  # said once, not for each row of an image
    missing: dict[str, int] = {}
    for row in _rows(path):
        if len(problems) + len(of_name) > MOST_WRONG:
            raise InputError(f"{path}:{row.line}: more than {MOST_WRONG:,} rows are wrong")
        name = row.cells["filename"]
        if not name:
            of_name.setdefault(name, Problem(path, row.line, "expected a filename", "error"))
            continue
        found = () if name in missing else index.find(name, folders)
        if not found:
            missing.setdefault(name, row.line)
            continue
        if len(found) > 1:
            of_name.setdefault(name, Problem(path, row.line, which_image(name, found), "error"))
            continue
        entry = entries.setdefault(found[0], _Entry(path, row.line))
        if entry.table != path:
            reason = f"image {name!r} is in {entry.table}:{entry.line} too"
            of_name.setdefault(name, Problem(path, row.line, reason, "error"))
            continue
        try:
            _add_row(row.line, row.cells, entry)
        except ValueError as error:
            problems.append(Problem(path, row.line, str(error), "error"))
    first = next(iter(missing.values()), None)
    return problems + list(of_name.values()) + missing_images(path, missing, first)


def _add_row(line: int, cells: Mapping[str, str], entry: _Entry) -> None:
    """Add a row to `entry`.

    Raises:
        ValueError: If something is wrong with it.
    """
    size = listed_size(cells["width"], cells["height"])
    if size is not None:
        entry.sizes.setdefault(size, line)
    given = [bool(cells[name]) for name in ("class", *_CORNERS)]
    if all(given):
        entry.things.append(_Thing(line, cells["class"], _corners(cells)))
    elif any(given):
        raise ValueError(
            f"expected a class and {', '.join(_CORNERS)}, or none of them for an image "
            "without objects"
        )
    elif entry.empty_line is None:
        entry.empty_line = line


def _corners(cells: Mapping[str, str]) -> tuple[float, float, float, float]:
    texts = [cells[name] for name in _CORNERS]
    try:
        x1, y1, x2, y2 = map(float, texts)
    except ValueError:
        raise ValueError(f"expected numbers as {', '.join(_CORNERS)}") from None
    return x1, y1, x2, y2


def _labels(entry: _Entry, image: ImageFile, ids: dict[str, int]) -> Checked:
    size = (image.width, image.height)
    other = next((found for found in entry.sizes if found != size), None)
    if other is not None:
        reason = f"{image.path} is listed as {other}, but is {size} pixels"
        return None, [Problem(entry.table, entry.sizes[other], reason, "error")]
    problems = []
    if entry.empty_line is not None and entry.things:
        reason = f"no objects here, but a box of the same image in line {entry.things[0].line}"
        problems.append(Problem(entry.table, entry.empty_line, reason, "error"))
    boxes = []
    for line, name, corners in entry.things:
        if name in ids:
            boxes.append(box_of_corners(ids[name], corners, image, line))
        else:
            reason = f"{name!r} is no class of the class list"
            problems.append(Problem(entry.table, line, reason, "error"))
    labels, wrong = check_boxes(entry.table, boxes, image, len(ids))
    return labels, problems + wrong

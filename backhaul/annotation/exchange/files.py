"""Images that wait for labels as a folder for an annotator's tool, and what comes back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from backhaul.annotation.exchange import xanylabeling
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats import FORMATS
from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.conversion import write_whole
from backhaul.data.formats.files import scan
from backhaul.data.formats.report import Problem
from backhaul.data.formats.writing import copy_file, plain_names
from backhaul.data.images import ImageReader, at_header, is_image
from backhaul.errors import InputError
from backhaul.storage.folders import walk_folders
from backhaul.storage.imagefiles import localise
from backhaul.storage.scratch import scratch_folder
from backhaul.untrusted import MOST_TABLE_BYTES, open_file
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

Tool: TypeAlias = Literal["cvat", "x-anylabeling", "coco", "yolo"]
X_ANYLABELING = "x-anylabeling"
MOST_FILES = 200_000


@dataclass(frozen=True)
class Returned:
    """What a folder of an annotator's tool says.

    Args:
        labels: The labels of the images that it has labels of, by image_id.
        problems: What is wrong with others.
    """

    labels: dict[str, Labels]
    problems: tuple[Problem, ...]


def write_exchange(
    folder: Path,
    tool: Tool,
    waiting: Sequence[WaitingImage],
    class_names: tuple[str, ...],
    min_confidence: float,
) -> None:
    """Write images that wait, with the boxes that the model saw, into a new folder.

    A file is named by the id of its image, by which `read_exchange` knows it again.

    Args:
        folder: New or empty.
        tool: Whose format.
        waiting: The images.
        class_names: The class list.
        min_confidence: Boxes with less are left out.

    Raises:
        InputError: If the folder is not empty, or the format cannot name a class.
        MissingObjectError: If an image is gone from the store.
    """
    shown = [image.shown.above(min_confidence).boxes for image in waiting]
    with scratch_folder() as fetched:
        images = localise(_image_set(waiting, shown, class_names), fetched)
        if tool == X_ANYLABELING:
            xanylabeling.write(folder, images, copy_file)
        else:
            write_whole(folder, tool, images, copy_file)


def read_exchange(
    given: Path, tool: Tool, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels in a file or folder of an annotator's tool.

    Images in it are passed over: names alone say whose the labels are.

    Args:
        given: A file or folder that the tool wrote.
        tool: Whose format.
        waiting: The images that it may have labels of.
        class_names: The class list; a class that is none of it is an error.

    Raises:
        InputError: If there is no such file, or nothing in it can be understood.
    """
    if not given.exists():
        raise InputError(f"{given}: no file there, and no folder")
    if not waiting:
        return Returned({}, ())
    none = [None] * len(waiting)
    with scratch_folder() as scratch:
        fetched, folder = scratch / "fetched", scratch / "exchange"
        fetched.mkdir()
        (folder / "images").mkdir(parents=True)
        images = localise(_image_set(waiting, none, class_names), fetched)
        for uri, image_id in zip(images.table["uri"], images.ids, strict=True):
            (folder / "images" / f"{image_id}{Path(uri).suffix}").symlink_to(uri)
        _copy_labels(given, folder)
        if tool == X_ANYLABELING:
            found = list(_read_beside(folder, images))
        else:
            found = list(_read_format(folder, tool, class_names))
    wrong = [problem for _, (_, some) in found for problem in some]
    return Returned(
        {image_id: labels for image_id, (labels, _) in found if labels is not None},
        tuple(_as_given(problem, folder, given) for problem in wrong),
    )


def _image_set(
    waiting: Sequence[WaitingImage],
    labels: Sequence[Labels | None],
    class_names: tuple[str, ...],
) -> ImageSet:
    rows = [
        (f.image_id, f.path, f.width, f.height, f.size_bytes, None, boxes, None, None)
        for f, boxes in zip((image.file for image in waiting), labels, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS), dtype=object)
    return ImageSet(table, class_names)


def _copy_labels(given: Path, folder: Path) -> None:
    """Copy what is no image into a folder of ours, which has the images already.

    Raises:
        InputError: If there are too many files, or one cannot be read.
    """
    if given.is_file():
        _copy(given, folder / given.name)
        return
    n_files = 0
    for place, names in walk_folders(given.as_posix()):
        for name in names:
            if is_image(name) or name.startswith("."):
                continue
            n_files += 1
            if n_files > MOST_FILES:
                raise InputError(f"{given}: has more than {MOST_FILES:,} files")
            source = Path(place) / name
            _copy(source, folder / source.relative_to(given))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_file(source, MOST_TABLE_BYTES) as file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy)


def _read_format(
    folder: Path, tool: str, class_names: tuple[str, ...]
) -> Iterator[tuple[str, Checked]]:
    names = folder / "classes.of.the.run"
    names.write_text("".join(f"{each}\n" for each in plain_names(class_names)), "utf-8")
    reader = ImageReader(look=at_header, within=folder.as_posix())
    report = FORMATS[tool].read(scan(folder), names, reader)
    errors = [problem for problem in report.problems if problem.severity == "error"]
    wrong = {problem.image for problem in errors if problem.image is not None}
    columns = report.images.table[["image_id", "uri", "labels"]].itertuples(index=False)
    for image_id, uri, labels in columns:
        if uri not in wrong:
            yield image_id, (labels, [])
    yield "", (None, errors)


def _read_beside(folder: Path, images: ImageSet) -> Iterator[tuple[str, Checked]]:
    """Yield the labels of the files that are named like images, in whatever folder they lie."""
    files = {path.stem: path for path in sorted(folder.rglob("*.json"))}
    reader = ImageReader(look=at_header)
    for file in reader.read(list(images.table["uri"])):
        if isinstance(file, InputError):
            continue
        path = files.get(file.image_id)
        if path is not None:
            labels, wrong = xanylabeling.read_file(path, file, images.class_names)
            is_right = all(problem.severity != "error" for problem in wrong)
            yield file.image_id, (labels if is_right else None, wrong)


def _as_given(problem: Problem, folder: Path, given: Path) -> Problem:
    """Return a problem with the place that the user knows."""
    root = given.parent if given.is_file() else given
    change: Callable[[str], str] = partial(_moved, folder.as_posix(), root.as_posix())
    return Problem(change(problem.path), problem.line, problem.reason, problem.severity)


def _moved(old: str, new: str, path: str) -> str:
    return f"{new}{path.removeprefix(old)}" if path.startswith(old) else path

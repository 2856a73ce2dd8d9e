"""Predictions of any detector, in files of whatever program wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backhaul.data.formats.files import NAMES_FILES, read_names
from backhaul.errors import InputError
from backhaul.inbox.files import DETECTIONS
from backhaul.predictions.cocoresults import read_results, rows_of_ids
from backhaul.predictions.found import Look
from backhaul.predictions.images import Images
from backhaul.predictions.sidecars import class_names_in, read_sidecars
from backhaul.predictions.tables import read_table
from backhaul.predictions.yolotexts import read_texts
from backhaul.storage.folders import plain_place, walk_folders
from backhaul.untrusted import MOST_TABLE_BYTES, FilePath, open_file, user_path

_PARQUET = b"PAR1"
_KINDS = (
    "a JSON file of COCO results, a folder of Ultralytics' .txt with confidences, a folder of "
    f"*{DETECTIONS}, or a Parquet table of detections"
)


@dataclass(frozen=True)
class Predictions:
    """What a detector predicted, in one file or folder a checkpoint.

    Args:
        paths: The input, or several: they are the checkpoints of an ensemble.
        coco: COCO file that says which image an ``image_id`` of COCO results is; None = images
            are named as `backhaul.predictions.cocoresults` says.
        names: File with one class name a line, for JSON that names classes; None = the names in
            it, sorted.
        conf_thres: Boxes of a checkpoint must have more confidence than this, as in a campaign.
        iou_thres: IoU from which boxes of checkpoints are one object.
    """

    paths: FilePath | Sequence[FilePath]
    coco: FilePath | None = None
    names: FilePath | None = None
    conf_thres: float = 0.1
    iou_thres: float = 0.5

    def __post_init__(self) -> None:
        if not self.inputs:
            raise InputError("expected predictions: a file or folder")
        for name in ("conf_thres", "iou_thres"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name}: expected a number from 0 to 1, got {value}")

    @property
    def inputs(self) -> tuple[FilePath, ...]:
        """The inputs, one or several."""
        return (self.paths,) if isinstance(self.paths, str | Path) else tuple(self.paths)


def read_predictions(given: Predictions, images: Images) -> list[Look]:
    """Return what each input says.

    Args:
        given: The inputs; formats are told by their content.
        images: The images that they may be of.

    Raises:
        InputError: If one is of no known format, or something in it is not what it must be.
    """
    places = [Path(plain_place(user_path(path))) for path in given.inputs]
    if twice := [place for place in places if places.count(place) > 1]:
        raise InputError(f"{twice[0]}: expected different inputs, got one twice")
    folders = {place: _texts_in(place) for place in places if place.is_dir()}
    sidecars = [path for found in folders.values() for path in found if _is_sidecar(path)]
    class_names: tuple[str, ...] = ()
    if sidecars:
        of_file = None if given.names is None else read_names(user_path(given.names))
        class_names = of_file or class_names_in(sidecars)
    rows, notes = None, tuple[str, ...]()
    if given.coco is not None:
        rows, notes = rows_of_ids(user_path(given.coco), images)
    looks = []
    for place in places:
        if place in folders:
            looks.append(_read_folder(place, folders, images, class_names))
        elif _begins_with(place, _PARQUET):
            looks.append(read_table(place, images))
        else:
            looks.append(read_results(place, images, rows))
    if notes:
        looks[0] = Look(looks[0].place, looks[0].seen, (*notes, *looks[0].notes))
    return looks


def _read_folder(
    place: Path,
    folders: Mapping[Path, Sequence[str]],
    images: Images,
    class_names: tuple[str, ...],
) -> Look:
    paths = folders[place]
    if not paths:
        raise InputError(f"{place}: no predictions found; expected {_KINDS}")
    sidecars = [path for path in paths if _is_sidecar(path)]
    if 0 < len(sidecars) < len(paths):
        other = next(path for path in paths if not _is_sidecar(path))
        raise InputError(
            f"{place}: has predictions of two kinds, {sidecars[0]} and {other}; expected one"
        )
    if sidecars:
        return read_sidecars(place, sidecars, images, class_names)
    return read_texts(place, paths, images)


def _texts_in(folder: Path) -> list[str]:
    """Return the texts and JSON of detections below a folder, lists of class names apart."""
    return sorted(
        f"{place}/{name}"
        for place, names in walk_folders(folder.as_posix())
        for name in names
        if not name.startswith(".")
        and name not in NAMES_FILES
        and (name.endswith(".txt") or _is_sidecar(name))
    )


def _is_sidecar(path: str) -> bool:
    return path.endswith(DETECTIONS)


def _begins_with(path: Path, start: bytes) -> bool:
    with open_file(path, MOST_TABLE_BYTES) as file:
        return file.read(len(start)) == start

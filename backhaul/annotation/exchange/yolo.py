"""YOLO as tools write it: a text file an image, with classes numbered as in a list beside it.

Which folders they lie in, and whether images are among them, is the same: `data.yaml` and
`labels/` (Ultralytics, Roboflow), `obj.names` and `obj_train_data/` (CVAT's YOLO 1.1),
`classes.txt` beside the files (labelImg).
"""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.annotation.exchange.classes import class_list, in_classes_of_run
from backhaul.annotation.exchange.returned import Returned
from backhaul.annotation.exchange.single import files_by_image, other_files
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.files import NAMES_FILES, Listing
from backhaul.data.formats.passedover import looks_like_boxes
from backhaul.data.formats.report import Problem
from backhaul.data.formats.yolo import read_labels

SUFFIX = ".txt"


def read(
    listing: Listing, waiting: Sequence[WaitingImage], class_names: tuple[str, ...]
) -> Returned:
    """Return the labels of the files that are named like images.

    Args:
        listing: What the tool wrote.
        waiting: The images.
        class_names: The run's classes; their order counts if the files bring no list.

    Raises:
        InputError: If there is no such file, or class lists cannot be read or differ.
    """
    files = files_by_image(listing, SUFFIX, waiting)
    theirs = class_list(listing)
    returned = Returned()
    for image in waiting:
        paths = files.get(image.file.image_id)
        if paths:
            names = class_names if theirs is None else theirs
            found = read_labels(image.file, paths, len(names))
            found = in_classes_of_run(found, names, class_names, paths[0])
            returned.add(image.file.image_id, found)
    if theirs is None and files:
        order = ", ".join(f"{number} {name}" for number, name in enumerate(class_names))
        reason = f"no class list there, so numbers are taken in the order of the run: {order}"
        returned.problems.append(Problem(str(listing.root), None, reason, "note"))
    returned.problems += other_files(listing, SUFFIX, files, _are_labels)
    return returned


def _are_labels(path: str) -> bool:
    return not path.endswith(NAMES_FILES) and looks_like_boxes(path)

"""Classes of an annotator's tool, found among those of the run by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.classlists import in_texts
from backhaul.data.formats.darknetdata import find_data
from backhaul.data.formats.datayaml import find_every, names_of, require_boxes
from backhaul.data.formats.files import Listing
from backhaul.data.formats.report import Problem
from backhaul.data.images import ImageReader
from backhaul.errors import InputError
from backhaul.values.labels import Labels


def class_ids(class_names: Sequence[str]) -> dict[str, int]:
    """Return the class id of each name, also as tools have it that change white space."""
    plain = {" ".join(name.split()): class_id for class_id, name in enumerate(class_names)}
    return plain | {name: class_id for class_id, name in enumerate(class_names)}


def class_list(listing: Listing) -> tuple[str, ...] | None:
    """Return the class names that the files of a YOLO export list; None if none does.

    Args:
        listing: What the tool wrote: a data.yaml, classes.txt or obj.names may be among it.

    Raises:
        InputError: If one cannot be read, its labels are keypoints, or two differ.
    """
    found: list[tuple[Path, tuple[str, ...]]] = []
    for data in find_every(listing):
        require_boxes(data)
        found.append((data.path, names_of(data)))
    told = find_data(listing, ImageReader(within=listing.root.as_posix()))
    if told is not None:
        found.append((told.path, names_of(told)))
    found += [
        (path, names)
        for path, names in in_texts(listing)
        if told is None or path.suffix != ".names"  # it says which of them
    ]
    if not found:
        return None
    (path, names), *others = found
    for other, other_names in others:
        if other_names != names:
            raise InputError(
                f"{path} and {other} are different class lists; expected one: remove the other"
            )
    return names


def in_classes_of_run(
    found: Checked, theirs: Sequence[str], ours: Sequence[str], path: str
) -> Checked:
    """Return what was found of an image with the run's class ids.

    Args:
        found: With the class ids of the tool's own list.
        theirs: Names of the tool's own list.
        ours: Names of the run's classes.
        path: The file of the labels, for the problem.
    """
    labels, wrong = found
    if labels is None:
        return found
    known = class_ids(ours)
    of_id = [known.get(name, known.get(" ".join(name.split()))) for name in theirs]
    used = sorted(set(labels.class_id.tolist()))
    unknown = [repr(theirs[class_id]) for class_id in used if of_id[class_id] is None]
    if unknown:
        reason = f"{', '.join(unknown)}: no class of the run ({', '.join(ours)})"
        return None, [*wrong, Problem(path, None, reason, "error")]
    class_id = np.array([of_id[each] for each in labels.class_id], dtype=np.int64)
    return Labels(class_id, labels.xywhn, labels.polygons), wrong

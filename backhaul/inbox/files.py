"""Files that edge nodes put into the inbox: images and, beside them, detections.

A node puts images at ``NODE/NAME.jpg``, in subfolders of NODE if it likes. If it ran a
detector, it puts the detections at ``NODE/NAME.detections.json`` beside the image, before the
image. Arrived images are recorded in a table with ``LOG_COLUMNS``, one row an image.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from backhaul.data.formats.files import stem_and_suffix
from backhaul.data.formats.report import Problem
from backhaul.data.headers import open_image
from backhaul.data.images import is_image
from backhaul.inbox.sidecar import detections_of
from backhaul.values.detections import FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet

LOG_COLUMNS = (
    "image_id",
    "uri",
    "width",
    "height",
    "size_bytes",
    "node",
    "name",
    "arrived",
    "detections",
    "origin",
)
"""Columns of what has arrived.

``node`` and ``name`` are what the image was dropped as; ``arrived`` is when it was taken in,
UTC; ``detections`` is what the node saw, as `read_detections` gives it, missing where the node
did not say; ``origin`` is how the node chose the image, as JSON of `backhaul.inbox.origin`,
missing where it did not say. The others are those of `ImageSet`.
"""

DETECTIONS = ".detections.json"
INCOMPLETE = (".part", ".partial", ".tmp", ".crdownload")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}


@dataclass(frozen=True, slots=True)
class Contents:
    """The files in an inbox, by names like ``NODE/NAME.jpg``.

    Args:
        images: The images, sorted.
        detections: The file with the node's detections, by image.
        others: All else that is complete: files of detections whose image is still to come, and
            what is not for an inbox.
        problems: Images that cannot be taken in for their names.
    """

    images: tuple[str, ...]
    detections: Mapping[str, str]
    others: tuple[str, ...]
    problems: tuple[Problem, ...]


def is_complete(name: str) -> bool:
    """Return whether a file with this name is completely written.

    Example:
        >>> [is_complete(name) for name in ("cam/a.jpg", "cam/.a.jpg.Xk2", "cam/a.jpg.part")]
        [True, False, False]
    """
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and not name.lower().endswith(INCOMPLETE)


def sort_out(names: Iterable[str]) -> Contents:
    """Sort the files `names`, relative to the inbox, into images, detections and others.

    If images differ in their suffix alone, the detections belong to the first.
    """
    complete = sorted(filter(is_complete, names))
    problems = {name: reason for name in complete if (reason := _misnamed(name))}
    images = [name for name in complete if is_image(name) and name not in problems]
    free = {name for name in complete if name.endswith(DETECTIONS)}
    detections = {}
    for image in images:
        beside = stem_and_suffix(image)[0] + DETECTIONS
        if beside in free:
            free.remove(beside)
            detections[image] = beside
    known = {*images, *detections.values()}
    return Contents(
        tuple(images),
        detections,
        tuple(name for name in complete if name not in known),
        tuple(Problem(ascii(n), None, reason, "warning") for n, reason in problems.items()),
    )


def _misnamed(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is no UTF-8 text, left alone; rename it"
    parts = name.split("/")
    if is_image(name) and (len(parts) == 1 or not all(parts)):
        return "lies in no folder of a node, left alone; expected NODE/NAME"
    return ""


def node_and_name(path: str) -> tuple[str, str]:
    """Return the node that sent an image, and the name that the node gave it.

    Example:
        >>> node_and_name("cam-1/2026/a.jpg")
        ('cam-1', '2026/a.jpg')
    """
    node, _, name = path.partition("/")
    return node, name


def in_turns(images: Sequence[str], most: int) -> tuple[tuple[str, ...], Counter[str]]:
    """Return the images of this hour, and how many of each node are left for the next.

    Nodes take turns, an image each, so that none keeps the others out; of one node it is the
    first by name.

    Args:
        images: Images of the inbox, sorted.
        most: Most of one hour.

    Example:
        >>> in_turns(("a/1", "a/2", "a/3", "b/1"), 3)
        (('a/1', 'a/2', 'b/1'), Counter({'a': 1}))
    """
    turns: defaultdict[str, int] = defaultdict(int)
    numbered = []
    for image in images:
        node, _ = node_and_name(image)
        numbered.append((turns[node], image))
        turns[node] += 1
    numbered.sort()
    left = Counter(node_and_name(image)[0] for _, image in numbered[most:])
    return tuple(sorted(image for _, image in numbered[:most])), left


def label_file(node: str, name: str) -> str:
    """Return the path of an image's label file, relative to the folder of labels.

    Example:
        >>> label_file("cam-1", "2026/a.jpg")
        'cam-1/2026/a.txt'
    """
    return f"{node}/{stem_and_suffix(name)[0]}.txt"


def suffix_of(data: bytes) -> str:
    """Return the suffix of an image's format, so that equal content has equal names.

    Raises:
        ValueError: If it is no image.
    """
    return _SUFFIXES[str(open_image(data).format)]


def fused_of(table: pd.DataFrame, class_names: tuple[str, ...]) -> FusedDetections:
    """Return the nodes' detections in images, in the order of `backhaul.look.fusion.fuse`.

    Args:
        table: Columns ``LOG_COLUMNS``. Images whose ``detections`` are missing have none; an
            image in which the node saw nothing has none either.
        class_names: The class list.

    Raises:
        InputError: If a class is not in it: the image came when the list was another.
    """
    seen = table[table["detections"].notna()]
    return detections_of(seen["image_id"], seen["detections"], class_names)


def images_of(table: pd.DataFrame, class_names: tuple[str, ...]) -> ImageSet:
    """Return the images of a table with ``LOG_COLUMNS``, without labels."""
    missing = pd.Series([None] * len(table), dtype=object)
    unknown = dict.fromkeys(("group", "labels", "label_source", "copy_of"), missing)
    columns = table.reset_index(drop=True).assign(**unknown)
    return ImageSet(columns[list(IMAGE_COLUMNS)], class_names)

"""A data set as it was read, for a page of thumbnails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from backhaul.data.formats.report import MOST_PATH, DataReport, Problem
from backhaul.data.groups import find_groups
from backhaul.report.gallery.content import Gallery, shown
from backhaul.untrusted import one_line


def gallery_of_data_set(report: DataReport, name: str, root: str) -> Gallery:
    """Return the images of a data set, each with the problems of its labels and its group.

    Without groups of its own, they are those that ``data.groups: auto`` would find.

    Args:
        report: The data set as it was read.
        name: What the page calls it.
        root: Its folder or address, as the places of its images begin.
    """
    of_image: dict[str, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        of_image[problem.image or problem.path].append(problem)
    groups: Sequence[str | None] = report.images.table["group"].tolist()
    if not any(groups):
        groups = find_groups(report.images, report.hashes).names
    images = tuple(
        replace(
            image,
            group=group,
            problems=tuple(of_image.pop(one_line(image.uri, MOST_PATH), ())),
        )
        for image, group in zip(shown(report.images), groups, strict=True)
    )
    return Gallery(
        name=name,
        kind="data set",
        root=root,
        class_names=report.images.class_names,
        images=images,
        problems=tuple(problem for problems in of_image.values() for problem in problems),
    )

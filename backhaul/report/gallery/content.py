"""What a page of thumbnails shows, whether it is of a data set or of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backhaul.data.formats.report import Problem
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels


@dataclass(frozen=True, slots=True)
class Shown:
    """An image on the page.

    Args:
        image_id: Digest of its content, in hexadecimal digits; its thumbnail is named so.
        uri: Its path or address.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        size_bytes: Of its file.
        labels: Its objects; None where nobody labelled it.
        group: The scene or sequence that it belongs to, if it has one.
        part: What part of a run it is in, such as "batch 0"; empty in a data set.
        sent: Why each method that sent it drew it, by the method's label.
        problems: What is wrong with its labels.
    """

    image_id: str
    uri: str
    width: int
    height: int
    size_bytes: int
    labels: Labels | None
    group: str | None = None
    part: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """The content of a page of thumbnails.

    Args:
        name: Of the data set or the run.
        kind: "data set" or "run".
        root: Where it lies, as the places of its images begin.
        class_names: The class list.
        images: The images, in the order in which the page shows them first.
        methods: Labels of the methods of a run.
        problems: Those that belong to none of the images.
    """

    name: str
    kind: str
    root: str
    class_names: tuple[str, ...]
    images: tuple[Shown, ...]
    methods: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def n_objects(self) -> int:
        """How many objects are labelled in all images together."""
        return sum(len(image.labels) for image in self.images if image.labels is not None)

    @property
    def n_problems(self) -> int:
        """How many problems there are, of images and of other files."""
        return len(self.problems) + sum(len(image.problems) for image in self.images)


def shown(images: ImageSet) -> Iterator[Shown]:
    """Yield each image of a set with what the set says of it."""
    row: Any
    for row in images.table.itertuples(index=False):
        yield Shown(
            image_id=row.image_id,
            uri=row.uri,
            width=row.width,
            height=row.height,
            size_bytes=row.size_bytes,
            labels=row.labels,
            group=row.group,
        )

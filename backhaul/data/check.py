"""Summary of a data set in numbers, for a user who is about to use it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.formats.report import DataReport, Problem
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, mean and largest of some numbers; None if there are none."""

    low: float | None
    mean: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ClassCount:
    """The frequency of a class in a data set."""

    name: str
    n_images: int
    n_boxes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A data set in numbers.

    Args:
        n_images: Readable images, each content once.
        n_labelled: Images somebody labelled, those without objects included.
        n_empty: Labelled images without objects.
        n_unlabelled: The other images.
        n_groups: Groups of images that stay in one split; 0 without any.
        n_boxes: All boxes.
        classes: In the order of the class ids.
        width_px: Of images, as displayed.
        height_px: Of images, as displayed.
        size_bytes: Of image files.
        total_bytes: Of all image files.
        box_width_px: Of boxes.
        box_height_px: Of boxes.
        box_area: Of boxes, as a fraction of the image.
        n_errors: Problems that stop a campaign.
        n_warnings: Problems that do not.
        n_notes: What was understood otherwise than it is written.
        problems: All of them.
    """

    n_images: int
    n_labelled: int
    n_empty: int
    n_unlabelled: int
    n_groups: int
    n_boxes: int
    classes: tuple[ClassCount, ...]
    width_px: Spread
    height_px: Spread
    size_bytes: Spread
    total_bytes: int
    box_width_px: Spread
    box_height_px: Spread
    box_area: Spread
    n_errors: int
    n_warnings: int
    n_notes: int
    problems: tuple[Problem, ...]

    def to_json(self) -> str:
        """Return the summary as JSON, with the names of the fields as keys."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def to_text(self) -> str:
        """Return the summary as text for a terminal: counts, a table of classes, problems."""
        return "\n".join(
            [*self._totals(), "", *self._class_table(), "", *self._problem_lines()]
        )

    def _totals(self) -> list[str]:
        groups = f" in {self.n_groups} groups" if self.n_groups else ""
        return [
            f"images        {self.n_images}{groups}",
            f"labelled      {self.n_labelled}, of these {self.n_empty} without objects",
            f"unlabelled    {self.n_unlabelled}",
            f"boxes         {self.n_boxes}",
            f"image width   {_show(self.width_px)} px",
            f"image height  {_show(self.height_px)} px",
            f"image file    {_show(self.size_bytes)} bytes, {self.total_bytes:,} in total",
            f"box width     {_show(self.box_width_px)} px",
            f"box height    {_show(self.box_height_px)} px",
            f"box area      {_show(self.box_area)} of the image",
        ]

    def _class_table(self) -> list[str]:
        width = max([5, *(len(count.name) for count in self.classes)])
        rows = [
            f"{class_id:>3}  {count.name:<{width}}  {count.n_images:>8}  {count.n_boxes:>8}"
            for class_id, count in enumerate(self.classes)
        ]
        return [f" id  {'class':<{width}}  {'images':>8}  {'boxes':>8}", *rows]

    def _problem_lines(self) -> list[str]:
        lines = [f"{self.n_errors} errors, {self.n_warnings} warnings, {self.n_notes} notes"]
        return lines + [str(problem) for problem in self.problems]


def summarize(report: DataReport) -> Summary:
    """Return a summary of the data set of `report`."""
    table, labels = report.images.table, _all_labels(report.images)
    n_labelled = int(table["labels"].notna().sum())
    n_empty = sum(1 for boxes in table["labels"] if boxes is not None and not len(boxes))
    sides = labels.xywhn[:, 2:]
    sides_px = sides * _sizes_of_images(report.images)
    severities = Counter(problem.severity for problem in report.problems)
    return Summary(
        n_images=len(table),
        n_labelled=n_labelled,
        n_empty=n_empty,
        n_unlabelled=len(table) - n_labelled,
        n_groups=int(table["group"].nunique()),
        n_boxes=len(labels),
        classes=_count_classes(report.images, labels),
        width_px=_spread(table["width"].to_numpy(dtype=np.float64)),
        height_px=_spread(table["height"].to_numpy(dtype=np.float64)),
        size_bytes=_spread(table["size_bytes"].to_numpy(dtype=np.float64)),
        total_bytes=int(table["size_bytes"].sum()),
        box_width_px=_spread(sides_px[:, 0]),
        box_height_px=_spread(sides_px[:, 1]),
        box_area=_spread(sides.prod(axis=1)),
        n_errors=severities["error"],
        n_warnings=severities["warning"],
        n_notes=severities["note"],
        problems=report.problems,
    )


def _all_labels(images: ImageSet) -> Labels:
    return Labels.concat(images.labelled().table["labels"])


def _sizes_of_images(images: ImageSet) -> FloatArray:
    """Return width and height of the image of each labelled object, shape (n, 2)."""
    known = images.labelled().table
    sizes: FloatArray = known[["width", "height"]].to_numpy(dtype=np.float64)
    return np.repeat(sizes, [len(labels) for labels in known["labels"]], axis=0)


def _count_classes(images: ImageSet, labels: Labels) -> tuple[ClassCount, ...]:
    n_images = images.presence().sum(axis=0).tolist()
    n_boxes = np.bincount(labels.class_id, minlength=len(images.class_names)).tolist()
    counts = zip(images.class_names, n_images, n_boxes, strict=True)
    return tuple(ClassCount(*count) for count in counts)


def _spread(values: FloatArray) -> Spread:
    if not len(values):
        return Spread(None, None, None)
    return Spread(float(values.min()), float(values.mean()), float(values.max()))


def _show(spread: Spread) -> str:
    if spread.low is None:
        return "-"
    return f"{spread.low:,.6g} to {spread.high:,.6g}, mean {spread.mean:,.6g}"

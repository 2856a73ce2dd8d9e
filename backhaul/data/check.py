"""Summary of a data set in numbers, for a user who is about to use it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

from backhaul.arrays import FloatArray
from backhaul.data.formats.report import DataReport, Problem
from backhaul.data.groups import FEW_GROUPS, find_groups
from backhaul.data.overlaps import Overlaps, find_overlaps
from backhaul.untrusted import one_line
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
class Belonging:
    """How many images of a data set belong together, whatever groups it was read with.

    Args:
        n_groups: Groups of two or more images.
        n_units: These, and the images that stand alone: what a split divides.
        copies: Groups with images that are named as copies of one.
        sequences: Videos that frames were found of.
        stretches: Groups of consecutive frames that these were cut into.
        alike: Groups with images that look alike and whose names do not say so.
        near_duplicates: Share of images that look like another one; None if not all images were
            decoded.
        group_pattern: What says the same in `data.group_pattern`; None if no pattern does.
    """

    n_groups: int
    n_units: int
    copies: int
    sequences: int
    stretches: int
    alike: int
    near_duplicates: float | None
    group_pattern: str | None

    def to_lines(self) -> list[str]:
        """Return it as lines for a terminal, the last of which says what to do about it."""
        share = self.near_duplicates
        alike = "not looked for" if share is None else f"{share:.1%} of the images"
        lines = [f"look alike    {alike}"]
        if not self.n_groups:
            return lines
        signs = [
            f"copies by name in {self.copies}" if self.copies else "",
            f"frames of {self.sequences} videos in {self.stretches}" if self.sequences else "",
            f"images that look alike in {self.alike}" if self.alike else "",
        ]
        lines += [
            f"belonging     {self.n_groups} groups: {'; '.join(filter(None, signs))}",
            f"              {self.n_units} groups and single images for a split{self._few()}",
        ]
        return [*lines, f"keep together {self.proposal}"]

    def _few(self) -> str:
        few = self.n_units < FEW_GROUPS
        return f": too few, expected {FEW_GROUPS} or more" if few else ""

    @property
    def proposal(self) -> str | None:
        """The line of a config that keeps them together; None if there are none."""
        if not self.n_groups:
            return None
        if self.group_pattern is not None:
            return f"data.group_pattern: '{self.group_pattern}'  (or data.groups: auto)"
        return "data.groups: auto"


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
        belonging: Copies, frames of videos and images that look alike.
        overlaps: Boxes that lie on top of each other.
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
    belonging: Belonging
    overlaps: Overlaps

    def to_json(self) -> str:
        """Return the summary as JSON, with the names of the fields as keys."""
        content = asdict(self)
        content["belonging"]["proposal"] = self.belonging.proposal
        return json.dumps(content, ensure_ascii=False, indent=2)

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
            *self._overlap_lines(),
            *self.belonging.to_lines(),
        ]

    def _overlap_lines(self) -> list[str]:
        found = self.overlaps
        if not found.n_pairs:
            return ["on top        no boxes of one image"]
        of_two = f"{found.n_of_other_classes} of two classes"
        first = [
            f"{'':14}{one_line(each.path)}: {' and '.join(each.classes)}, IoU {each.iou:.3g}"
            for each in found.first
        ]
        return [
            f"on top        {found.n_pairs} box pairs, {of_two}, in {found.n_images} images",
            *first,
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
        belonging=_belonging(report),
        overlaps=find_overlaps(report.images),
    )


def _belonging(report: DataReport) -> Belonging:
    found = find_groups(report.images, report.hashes)
    return Belonging(
        n_groups=found.n_groups,
        n_units=found.n_units,
        copies=found.copies,
        sequences=found.sequences,
        stretches=found.stretches,
        alike=found.alike,
        near_duplicates=found.near_duplicates,
        group_pattern=found.pattern,
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

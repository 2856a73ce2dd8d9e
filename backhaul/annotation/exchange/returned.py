"""What comes back from an annotator's tool: labels, and why images keep waiting.

An image's labels are taken if everything that was drawn in it is understood. What is left out
as a slip of the mouse, such as a box without area, is told; where no box is left then, the
image waits, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from backhaul.annotation.taking import Given
from backhaul.annotation.waiting import WaitingImage
from backhaul.data.formats.assembly import Checked
from backhaul.data.formats.report import Problem
from backhaul.values.labels import Labels

_NAMED = 3


@dataclass
class Returned:
    """What a file or folder of an annotator's tool says.

    Args:
        labels: The labels of the images that it has labels of, by image_id.
        problems: Why other images wait, and what was left out.
        checked: Ids of images that the annotator marked as done.
    """

    labels: dict[str, Labels] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    def add(self, image_id: str, found: Checked) -> None:
        """Add what was found of an image: its labels if they are whole, else why it waits."""
        labels, wrong = found
        if labels is not None and not len(labels):
            wrong = [_leaves_nothing(problem) for problem in wrong]
        if labels is not None and all(problem.severity != "error" for problem in wrong):
            self.labels[image_id] = labels
        self.problems += [_naming(problem, image_id) for problem in wrong]

    def given(
        self, waiting: Sequence[WaitingImage], source: str, annotator: str
    ) -> list[Given]:
        """Return the labels to be taken.

        Args:
            waiting: The images, with the boxes that they were exported with.
            source: The tool.
            annotator: Who gave the labels.
        """
        return [
            Given(
                image=image,
                labels=self.labels[image.file.image_id],
                source=source,
                shown=image.shown.boxes,
                annotator=annotator,
            )
            for image in waiting
            if image.file.image_id in self.labels
        ]


def _leaves_nothing(problem: Problem) -> Problem:
    if problem.severity != "warning":
        return problem
    reason = f"{problem.reason}, and no box is left: its image waits"
    return replace(problem, reason=reason, severity="error")


def _naming(problem: Problem, image_id: str) -> Problem:
    """Return a problem that names the image it is of, where it does not yet."""
    if image_id in str(problem):
        return problem
    return replace(problem, reason=f"image {image_id}: {problem.reason}")


def counted_images(ids: Sequence[str]) -> str:
    """Return how many images these are, with the ids of the first.

    Example:
        >>> counted_images(["a", "b", "c", "d"])
        '4 images (a, b, c, ...)'
    """
    more = ", ..." if len(ids) > _NAMED else ""
    return f"{len(ids)} images ({', '.join(ids[:_NAMED])}{more})"

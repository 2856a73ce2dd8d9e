"""The images that the test sets of an analysis consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from backhaul.analysis.series import Point, batch_part, split_part
from backhaul.analysis.subject import Subject
from backhaul.layout import INITIAL
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from flows.arguments import step_of_subject
from tasks.evaluation import old_test_set
from tasks.labelling import label_existing
from tasks.series import labelled_so_far, share_held_out


@dataclass(frozen=True)
class PartsOfTestSets:
    """Labelled images of which test sets are put together, by the name of each part.

    Args:
        images: The images of each part.
        looked_at: The images to predict on for each part: its own, or the whole batch that it
            is a split of where that is looked at anyway.
    """

    images: dict[str, Artifact]
    looked_at: dict[str, Artifact]

    def sets(self, point: Point) -> dict[str, tuple[Artifact, ...]]:
        """Return the images of each test set of a point that has any."""
        found = {
            name: tuple(self.images[part] for part in used if part in self.images)
            for name, used in point.sets.items()
        }
        return {name: images for name, images in found.items() if images}

    def looks(self, point: Point) -> tuple[tuple[Checkpoint, Artifact], ...]:
        """Return the pairs of checkpoint and images to predict on for a point, each once."""
        parts = (part for used in point.sets.values() for part in used)
        images = dict.fromkeys(self.looked_at[b] for b in parts if b in self.looked_at)
        return tuple((checkpoint, each) for each in images for checkpoint in point.looking)


def collect_parts(run: Subject, points: Iterable[Point]) -> PartsOfTestSets:
    """Return the parts of images that the test sets of `points` consist of."""
    wanted = dict.fromkeys(
        part for point in points for used in point.sets.values() for part in used
    )
    sources = _sources(run)
    images = {part: sources[part]() for part in wanted if part in sources}
    whole = {
        split_part(record.method, record.batch): images[batch_part(record.batch)]
        for record in run.records
        if record.batch is not None
        and batch_part(record.batch) in images
        and record.images == run.setting.batches[record.batch]
    }
    return PartsOfTestSets(images, {part: whole.get(part, images[part]) for part in images})


def _sources(run: Subject) -> dict[str, Callable[[], Artifact]]:
    """Return a function for each available part that loads its images."""
    sources: dict[str, Callable[[], Artifact]] = {INITIAL: lambda: run.setting.old_test}
    for batch, images in enumerate(run.setting.batches):
        sources[batch_part(batch)] = partial(_with_known_truth, run, images)
    for number, part in enumerate(run.schedule.held_out):
        sources[part] = partial(_held_out, run, number)
    for record in run.records:
        if record.batch is not None and record.new is not None:
            step = step_of_subject(run, record.method, record.batch)
            part = split_part(record.method, record.batch)
            sources[part] = partial(old_test_set, record.new, step=step)
    return sources


def _with_known_truth(run: Subject, images: Artifact) -> Artifact:
    if run.config.labels_exist:
        return label_existing(images, run.setting.dataset, step=step_of_subject(run))
    sent = tuple(record.new for record in run.records if record.new is not None)
    return labelled_so_far(images, sent, step=step_of_subject(run))


def _held_out(run: Subject, number: int) -> Artifact:
    setting, n_batches = run.setting, run.schedule.n_held_out
    return share_held_out(
        setting.common, setting.old_test, n_batches, step=step_of_subject(run)
    )[number]

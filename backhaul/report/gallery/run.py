"""The images of a run, for a page of thumbnails."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backhaul.campaign.records import RoundRecord
from backhaul.campaign.runrecords import RunRecords
from backhaul.report.gallery.content import Gallery, Shown, shown
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import read_value
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels
from backhaul.values.selections import Selection
from backhaul.values.splits import Splits


def gallery_of_run(records: RunRecords) -> Gallery:
    """Return the images of a run: by batch, with their labels, and with what sent them.

    Raises:
        InputError: If the run has not begun.
        MissingObjectError: If what it refers to was pruned.
    """
    labels = _labels(records)
    sent = _sent(records.rounds)
    found: dict[str, Shown] = {}
    for part, images in _parts(records):
        for image in shown(images.originals()):
            known = replace(
                image,
                labels=labels.get(image.image_id),
                part=part,
                sent=sent.get(image.image_id, {}),
            )
            found.setdefault(image.image_id, known)
    return Gallery(
        name=records.files.name,
        kind="run",
        root=_common_root([image.uri for image in found.values()]),
        class_names=records.beginning.class_names,
        images=tuple(found.values()),
        methods=tuple(dict.fromkeys(r.method for r in records.rounds if r.batch is not None)),
    )


def _parts(records: RunRecords) -> Iterator[tuple[str, ImageSet]]:
    """Yield each part of a run with its images; an image counts to the first part it is in."""
    arrangement = records.beginning.arrangement
    for record in records.rounds:
        if record.batch is None and record.new is not None:
            splits = read_value(Splits, record.new)
            yield "initial set, train", splits.train
            yield "initial set, valid", splits.valid
            yield "initial set, test", splits.test
    yield "initial set", read_value(ImageSet, arrangement.initial)
    for number, batch in enumerate(arrangement.batches):
        yield f"batch {number}", read_value(ImageSet, batch)
    for record in sorted(records.rounds, key=lambda each: each.batch or 0):
        if record.batch is not None and record.images is not None:
            yield f"batch {record.batch}", read_value(ImageSet, record.images)
    yield "held out for the common test set", read_value(ImageSet, arrangement.holdout)
    yield "in no batch", read_value(ImageSet, arrangement.leftover)


def _labels(records: RunRecords) -> dict[str, Labels]:
    """Return what is known of each image: by the data set, or once it was sent and labelled."""
    sets = [read_value(ImageSet, records.beginning.arrangement.initial)]
    if records.setting is not None:
        sets.append(read_value(ImageSet, records.setting.dataset))
    for record in records.rounds:
        if record.new is not None:
            splits = read_value(Splits, record.new)
            sets += [splits.train, splits.valid, splits.test]
    return {
        image_id: labels
        for images in sets
        for image_id, labels in zip(images.ids, images.table["labels"], strict=True)
        if labels is not None
    }


def _sent(rounds: Iterable[RoundRecord]) -> dict[str, dict[str, str]]:
    """Return the methods that sent each image, and why each of them drew it."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for record in rounds:
        if record.sent is None:
            continue
        selection = read_value(Selection, record.sent.selection)
        for image_id, reason in zip(selection.image_id, selection.reason, strict=True):
            found[image_id][record.method] = reason
    return found


def _common_root(uris: list[str]) -> str:
    """Return the folder that all images lie below; empty if they lie in an object store."""
    if not uris or not all(map(is_local, uris)):
        return ""
    return os.path.commonpath([os.path.dirname(uri) for uri in uris])  # noqa: PTH120 - as text

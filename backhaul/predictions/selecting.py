"""Choose images by the predictions of any detector, without a campaign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from backhaul.data.images import ImageFile, OnProgress
from backhaul.errors import InputError
from backhaul.predictions.chosen import Chosen, Options, chosen_of
from backhaul.predictions.descriptions import describe
from backhaul.predictions.ensemble import objects_of
from backhaul.predictions.images import Images, read_images
from backhaul.predictions.method import Given, method_of, require_enough
from backhaul.predictions.reading import Predictions, read_predictions
from backhaul.predictions.sent import Before, read_sent
from backhaul.randomness import generator
from backhaul.sampling import SamplingMethod
from backhaul.untrusted import FilePath, user_path
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features
from backhaul.values.offers import Offers, Pool, SentBefore

Bars: TypeAlias = Callable[[str], OnProgress]
"""Shows that something begins, and returns what says how far it is."""


@dataclass(frozen=True)
class Request:
    """What is to be chosen.

    Args:
        predictions: What a detector, or an ensemble, predicted.
        images: Folder of the images.
        method: The sampling method.
        bandwidth: Most images, bytes, or both.
        sent_before: A list of images that were sent before; None = none were.
        seed: Seed of the draws.
    """

    predictions: Predictions
    images: FilePath
    method: SamplingMethod
    bandwidth: Bandwidth
    sent_before: FilePath | None = None
    seed: int = 0


def select(
    predictions: FilePath | Sequence[FilePath] | Predictions,
    images: FilePath,
    *,
    method: Given = "diverse",
    bytes: int | None = None,  # noqa: A002 - as in a bandwidth
    count: int | None = None,
    sent_before: FilePath | None = None,
    seed: int = 0,
) -> Chosen:
    """Return the images to send of a folder, by what any detector predicted in them.

    Args:
        predictions: A file or folder of COCO results, Ultralytics' texts with confidences, or
            JSON or Parquet of ours; several are the checkpoints of an ensemble.
        images: Folder of the images.
        method: Name of a sampling method, its settings with ``kind``, or itself.
        bytes: Most bytes.
        count: Most images; expected are bytes, count, or both.
        sent_before: A list of images that were sent before.
        seed: Seed of the draws.

    Raises:
        InputError: If something of it is not what it must be.

    Example:
        >>> import backhaul
        >>> backhaul.select("labels/", "frames/", method="iqr")
        Traceback (most recent call last):
            ...
        backhaul.errors.InputError: expected the bandwidth: bytes, count, or both
    """
    if not isinstance(predictions, Predictions):
        predictions = Predictions(predictions)
    bandwidth = bandwidth_of(bytes, count)
    request = Request(predictions, images, method_of(method), bandwidth, sent_before, seed)
    return choose(request, lambda _: lambda done, total: None)


def bandwidth_of(most_bytes: int | None, count: int | None) -> Bandwidth:
    """Return a bandwidth of so many bytes, images, or both.

    Raises:
        InputError: If there is neither, or one is negative.
    """
    if most_bytes is None and count is None:
        raise InputError("expected the bandwidth: bytes, count, or both")
    for name, value in (("bytes", most_bytes), ("count", count)):
        if value is not None and value < 0:
            raise InputError(f"{name}: expected a number >= 0, got {value}")
    return Bandwidth(images=count, bytes=most_bytes)


def choose(request: Request, bars: Bars) -> Chosen:
    """Return the images to send.

    Args:
        request: What is to be chosen.
        bars: Shows how far it is.

    Raises:
        InputError: If something of it is not what it must be.
    """
    if request.seed < 0:
        raise InputError(f"seed: expected a number >= 0, got {request.seed}")
    method, given = request.method, request.predictions
    images = read_images(request.images, bars("reading images"))
    before = Before()
    if request.sent_before is not None:
        before = read_sent(user_path(request.sent_before), images)
    looks = read_predictions(given, images)
    found = objects_of(looks, given.conf_thres, given.iou_thres)
    require_enough(method, _offered(images.files, found))
    described, broken = None, tuple[str, ...]()
    if "descriptors" in method.needs:
        every = {file.image_id: file for file in (*images.files, *before.files)}
        described, broken = describe([*every.values()], bars("looking at colours and textures"))
    candidates, pool = _pool(images, found, before, described)
    rng = generator(request.seed, "sampling", method.label)
    selection = method.select(pool, request.bandwidth, rng=rng)
    notes = [*images.notes, *before.notes, *(note for look in looks for note in look.notes)]
    from_pool = Options(pool, candidates, images.root)
    return chosen_of(selection, method, from_pool, request.bandwidth, (*notes, *broken))


def _pool(
    images: Images, found: FusedDetections, before: Before, described: Features | None
) -> tuple[tuple[ImageFile, ...], Pool]:
    """Return the candidates, and the pool of them.

    Args:
        images: All images.
        found: The objects in them.
        before: Images that were sent before, which are no candidates.
        described: Descriptors of both, as far as they can be decoded; None = not needed.
    """
    sent = tuple(file.image_id for file in before.files)
    left = {file.image_id for file in images.files} - {*sent}
    if described is not None:
        left &= {*described.image_id.tolist()}
    candidates = tuple(file for file in images.files if file.image_id in left)
    ids = [file.image_id for file in candidates]
    seen = replace(found.of_images(ids), features=None, descriptors=None)
    known = SentBefore(sent)
    if found.features is not None:
        seen = replace(seen, features=found.features.filled(ids))
        known = replace(known, features=found.features.only(sent))
    if described is not None:
        seen = replace(seen, descriptors=described.only(ids))
        known = replace(known, descriptors=described.only(sent))
    return candidates, replace(_offered(candidates, seen), sent_before=known)


def _offered(files: Sequence[ImageFile], found: FusedDetections) -> Pool:
    sizes = np.array([file.size_bytes for file in files], dtype=np.int64)
    ids, paths = [file.image_id for file in files], [file.path for file in files]
    return Pool(Offers.originals(ids, sizes, paths), found)

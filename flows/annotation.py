"""The labelling service of a run: labels come at the start of an hour, images go at its end.

While the service is away, hours go on with the labels that are in the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from prefect import get_run_logger
from prefect.events import emit_event

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.sync import pull_labels, push_images
from backhaul.annotation.taking import Taken
from backhaul.campaign.labelled import LabelledImage
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.layout import RunFiles
from blocks import LabelStudio as LabelStudioBlock
from blocks.opening import load_block
from flows.course import labels_at
from flows.server.operation import LABELLED

T = TypeVar("T")


def server_of(settings: LabelStudioAnnotation) -> LabelStudio:
    """Return the server that a config names.

    Raises:
        InputError: If its block or its token is missing.
    """
    if settings.block is not None:
        block = load_block(LabelStudioBlock, settings.block)
        return LabelStudio(block.address, block.token.get_secret_value())
    token = os.environ.get(settings.key_variable, "")
    if not token:
        raise InputError(
            f"data.annotation: {settings.key_variable} is not set: expected the access token "
            f"of {settings.url}"
        )
    return LabelStudio(str(settings.url), token)


def exchange(settings: LabelStudioAnnotation, files: RunFiles) -> tuple[Taken, int]:
    """Take what is finished, and make tasks of what is new; return both.

    Raises:
        InputError: If the service is away, another's, or not set up.
    """
    with server_of(settings) as server:
        taken = pull_labels(server, files, settings)
        return taken, push_images(server, files, settings)


def take_labels(inbox: InboxData, files: RunFiles) -> None:
    """Take the labels that annotators have finished, if the run has a labelling service."""
    settings = inbox.annotation
    if settings is None:
        return
    labels_at(files.root, inbox)  # takes up the keys of where labels are put
    taken = _asked(settings, lambda server: pull_labels(server, files, settings))
    if taken is None:
        return
    for problem in taken.problems:
        get_run_logger().warning("%s", problem)
    get_run_logger().info("labels of %d images were taken", len(taken.images))
    tell_labelled(taken.images)


def offer_images(inbox: InboxData, files: RunFiles) -> None:
    """Let annotators have the images that wait, if the run has a labelling service."""
    settings = inbox.annotation
    if settings is None:
        return
    labels_at(files.root, inbox)
    n_new = _asked(settings, lambda server: push_images(server, files, settings))
    if n_new:
        get_run_logger().info("%d images wait in the labelling service", n_new)


def tell_labelled(images: Sequence[LabelledImage]) -> None:
    """Emit an event for each image that was labelled, as annotators' tools do."""
    for image in images:
        payload = {"image_id": image.image_id, "source": image.source}
        emit_event(
            LABELLED, {"prefect.resource.id": f"backhaul.node.{image.node}"}, payload=payload
        )


def _asked(settings: LabelStudioAnnotation, what: Callable[[LabelStudio], T]) -> T | None:
    """Return what a service answers; None, and a warning, if it does not."""
    try:
        with server_of(settings) as server:
            return what(server)
    except InputError as error:  # a missing token or block, too: hours go on without labels
        get_run_logger().warning("%s; the next hour asks again", error)
        return None

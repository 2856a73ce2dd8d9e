"""Bring a run and its project in Label Studio up to date with each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.project import project_of
from backhaul.annotation.labelstudio.pulling import pull
from backhaul.annotation.labelstudio.pushing import push
from backhaul.annotation.taking import Taken
from backhaul.annotation.waiting import waiting_images
from backhaul.campaign.runrecords import RunRecords
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.layout import RunFiles
from backhaul.storage.holder import Holder
from backhaul.storage.lease import lease

LOG = logging.getLogger(__name__)


def pull_labels(server: LabelStudio, files: RunFiles, settings: LabelStudioAnnotation) -> Taken:
    """Take the labels that people have finished of images that wait.

    Args:
        server: The server.
        files: Where the files of the run lie.
        settings: When an annotation counts.

    Raises:
        LabelStudioError: If the server does not answer, or is another's.
        StoreError: If the store cannot be used.
    """
    class_names = RunRecords(files).beginning.class_names
    server.require_ours()
    with _alone(files):
        project = project_of(server, files, class_names, settings.annotators)
        return pull(server, project, files, waiting_images(files), class_names, settings)


def push_images(server: LabelStudio, files: RunFiles, settings: LabelStudioAnnotation) -> int:
    """Make a task of each image that waits and has none; return how many were made.

    Args:
        server: The server.
        files: Where the files of the run lie.
        settings: Which boxes are shown.

    Raises:
        LabelStudioError: If the server does not answer, or is another's.
        StoreError: If the store cannot be used.
    """
    class_names = RunRecords(files).beginning.class_names
    server.require_ours()
    with _alone(files):
        waiting = waiting_images(files)
        if not waiting:
            return 0
        project = project_of(server, files, class_names, settings.annotators)
        return push(server, project, waiting, class_names, settings.min_confidence)


@contextmanager
def _alone(files: RunFiles) -> Iterator[None]:
    """Let one process at a time ask what is there and add what is missing."""
    with lease(files.root, f"annotation={files.name}", _log_wait):
        yield


def _log_wait(holder: Holder, waited_s: float) -> None:
    if not waited_s:
        LOG.warning("%s exchanges labels of this run: waiting for it", holder)

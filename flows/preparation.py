"""Read the data and arrange the batches and test sets that all methods share."""

from __future__ import annotations

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.setting import Setting
from backhaul.data.lists import read_lists
from backhaul.data.made import data_folder
from backhaul.data.settings import FolderData, InboxData, MadeData, StreamData
from backhaul.data.source import fingerprint, place_outside
from backhaul.learn.given import find_checkpoints
from backhaul.storage.objects import note_data_root
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.results import Arrangement
from flows.arguments import label, step_of
from tasks.data import join_data, read_data
from tasks.evaluation import common_test_set, old_test_set
from tasks.progress import Progress
from tasks.split import (
    arrange,
    arrange_inbox,
    arrange_listed,
    arrange_stream,
    split_images,
)
from tasks.stage import Lookups, Step
from tasks.start import take_checkpoints


def prepare(
    config: CampaignConfig, lookups: Lookups | None = None
) -> tuple[Setting, Arrangement, Artifact]:
    """Return the shared input of the methods, its arrangement, and the initial splits."""
    step = step_of(config, lookups=lookups)
    own = None if config.initial.data is None else read_images(config.initial.data, step)
    if isinstance(config.data, InboxData):
        dataset, arrangement, splits = _from_inbox(config, own, step)
    else:
        dataset, arrangement, splits = _from_data(config, config.data, own, step)
    held_out = label(arrangement.holdout, config, dataset, step)
    setting = Setting(
        dataset=dataset,
        batches=arrangement.batches,
        common=common_test_set(splits, held_out, step=step),
        old_test=old_test_set(splits, step=step),
        start=_start(config, dataset, step),
    )
    return setting, arrangement, splits


def _from_data(
    config: CampaignConfig, data: FolderData | MadeData, own: Artifact | None, step: Step
) -> tuple[Artifact, Arrangement, Artifact]:
    """Return all images, how they are played, and the initial splits."""
    dataset = read_images(
        data_folder(data, config.seed, config.store, Progress("uploading images")), step
    )
    if own is not None:
        dataset = join_data(dataset, own, step=step)
    return dataset, *_arranged(config, dataset, own, step)


def _from_inbox(
    config: CampaignConfig, own: Artifact | None, step: Step
) -> tuple[Artifact, Arrangement, Artifact]:
    """Return the initial set, how it is played, and the initial splits; the rest will come."""
    assert own is not None  # noqa: S101 - the config was checked for it
    arrangement = arrange_inbox(own, config.initial, step=step)
    splits = split_images(arrangement.initial, None, config.initial.fractions, step=step)
    return own, arrangement, splits


def _start(config: CampaignConfig, dataset: Artifact, step: Step) -> tuple[Checkpoint, ...]:
    if config.start is None:
        return ()
    given = find_checkpoints(config.start)
    return take_checkpoints(given, dataset, config.training.of_one_run, step=step)


def _arranged(
    config: CampaignConfig, dataset: Artifact, own: Artifact | None, step: Step
) -> tuple[Arrangement, Artifact]:
    """Return how the data set is played, drawn or as lists say, and the initial splits."""
    if config.lists is not None:
        lists = read_lists(config.lists)
        listed = arrange_listed(dataset, lists, config.batches, config.labelling, step=step)
        return listed.arrangement, listed.splits
    draw = arrange_stream if isinstance(config.data, StreamData) else arrange
    drawn = draw(dataset, own, config.initial, config.batches, config.labelling, step=step)
    splits = split_images(drawn.initial, None, config.initial.fractions, step=step)
    return drawn, splits


def read_images(data: FolderData, step: Step) -> Artifact:
    """Return the images of a data set; the store says from now on that it lies there."""
    dataset = read_data(data, fingerprint=fingerprint(data, step.root), step=step)
    place = place_outside(data, step.root)
    if dataset.digest and place is not None and step.lookups is None:
        note_data_root(step.root, dataset.digest, place)
    return dataset.images

"""Known or estimated sizes of the rounds that a campaign has not run yet."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from backhaul.campaign.claim import files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.runstate import read_state
from backhaul.campaign.setting import Setting
from backhaul.data.digits import NAMES
from backhaul.data.formats.files import scan
from backhaul.data.images import is_image
from backhaul.data.lists import read_lists
from backhaul.data.made import made_set
from backhaul.data.remote import entries
from backhaul.data.settings import (
    Data,
    DigitScenes,
    DigitsData,
    FolderData,
    InboxData,
    MadeData,
    StreamData,
)
from backhaul.sampling import Method
from backhaul.storage.addresses import is_local
from backhaul.storage.objects import read_value
from backhaul.values.images import ImageSet


@dataclass(frozen=True)
class Images:
    """Number and size of the images of a campaign, as far as known.

    Args:
        batches: Batches that every method will have played.
        counted: Whether these were counted, and not estimated.
        mean_bytes: Mean size of an image; None if not known.
        n_classes: Number of classes; None if not known.
    """

    batches: int
    counted: bool
    mean_bytes: float | None
    n_classes: int | None


@dataclass(frozen=True)
class ExpectedTraining:
    """Upper bounds for a training to come.

    Args:
        epochs: Its epochs, if it does not stop earlier.
        originals: Images that it trains with, without copies.
        copies: Copies that are made for it; None if not known.
    """

    epochs: int
    originals: float
    copies: int | None

    @property
    def images(self) -> int:
        """Number of images of an epoch."""
        return round(self.originals) + (self.copies or 0)

    @property
    def looks(self) -> float:
        """Number of images processed over all epochs."""
        return self.epochs * (self.originals + (self.copies or 0))


def images_of(config: CampaignConfig, setting: Setting | None) -> Images:
    """Count or estimate the images of a campaign; its config must be opened.

    Args:
        config: The campaign.
        setting: Batches and test sets that its methods share, if known.

    Raises:
        InputError: If its data set is not there.
    """
    if setting is not None:
        dataset = read_value(ImageSet, setting.dataset)
        return Images(
            batches=_arrived(config, len(setting.batches)),
            counted=True,
            mean_bytes=float(dataset.table["size_bytes"].mean()),
            n_classes=len(dataset.class_names),
        )
    sizes = _sizes(config)
    return Images(
        batches=_arrived(config, _estimated(config, len(sizes))),
        counted=config.batches.count is not None or isinstance(config.data, InboxData),
        mean_bytes=sum(sizes) / len(sizes) if any(sizes) else None,
        n_classes=len(NAMES) if _is_of_digits(config.data) else None,
    )


def next_batch(config: CampaignConfig) -> int:
    """Return the number of the next batch whose bandwidth is asked for."""
    return _arrived(config, 0)


def first_training(config: CampaignConfig, images: Images) -> ExpectedTraining | None:
    """Return the training of the initial model; None if there is a first checkpoint."""
    if config.start is not None:
        return None
    size = config.initial.images or config.batches.sampling_batch
    originals = size * config.initial.train
    copies = _copies(config, images)
    epochs = config.training.initial_epochs(round(originals) + (copies or 0))
    return ExpectedTraining(epochs, originals, copies)


def retraining(config: CampaignConfig, images: Images, method: Method) -> ExpectedTraining:
    """Return the expected training of a method that uses its whole bandwidth.

    Args:
        config: The campaign.
        images: What is known of its images.
        method: The method.
    """
    if method.retrains_without_new:
        first = (config.initial.images or config.batches.sampling_batch) * config.initial.train
        return ExpectedTraining(config.training.retrain_epochs(round(first)), first, 0)
    return _with_new(config, images, method, config.mixing.least_new)


def trials(
    config: CampaignConfig, images: Images, method: Method
) -> tuple[ExpectedTraining, ...]:
    """Return the trainings by which a method chooses how many new images a retraining has.

    Args:
        config: The campaign.
        images: What is known of its images.
        method: The method.
    """
    mixing = config.mixing
    if mixing.retrain_new != "auto" or method.retrains_without_new:
        return ()
    whole = [_with_new(config, images, method, share) for share in mixing.candidates]
    return tuple(
        replace(each, epochs=config.training.trial_epochs(each.images, mixing.trial_length))
        for each in whole
    )


def _with_new(
    config: CampaignConfig, images: Images, method: Method, retrain_new: float
) -> ExpectedTraining:
    new = sent_a_batch(config, images, method) * config.batches.train
    expected = ExpectedTraining(1, new / retrain_new, _copies(config, images))
    return replace(expected, epochs=config.training.retrain_epochs(expected.images))


def sent_a_batch(config: CampaignConfig, images: Images, method: Method) -> int:
    """Return how many images a method sends of a batch, by the mean size of all images.

    Args:
        config: The campaign.
        images: What is known of its images.
        method: The method.
    """
    if method.retrains_without_new:
        return 0
    limits = [config.batches.sampling_batch]
    if config.bandwidth.images is not None:
        limits.append(config.bandwidth.images)
    if config.bandwidth.bytes is not None and images.mean_bytes:
        cost = images.mean_bytes + config.bandwidth.overhead_bytes
        limits.append(int(config.bandwidth.bytes / cost))
    return min(limits)


def bytes_a_batch(config: CampaignConfig, images: Images, method: Method) -> float | None:
    """Return how many bytes a method sends of a batch; None if that is not known.

    Args:
        config: The campaign.
        images: What is known of its images.
        method: The method.
    """
    if method.retrains_without_new:
        return 0.0
    known = [] if config.bandwidth.bytes is None else [float(config.bandwidth.bytes)]
    if images.mean_bytes is not None:
        known.append(sent_a_batch(config, images, method) * images.mean_bytes)
    return min(known, default=None)


def _copies(config: CampaignConfig, images: Images) -> int | None:
    """Return how many copies are made for a training, if no image had a wanted class."""
    if config.augmentation.images_per_class is None:
        return 0
    if images.n_classes is None:
        return None
    return config.augmentation.images_per_class * images.n_classes


def _arrived(config: CampaignConfig, planned: int) -> int:
    """Return `planned`, or where images arrive hour by hour, the batches formed so far."""
    if not isinstance(config.data, InboxData):
        return planned
    return read_state(files_of(config)).formed


def _is_of_digits(data: Data) -> bool:
    scenes = data.of if isinstance(data, StreamData) else data
    return isinstance(scenes, DigitsData | DigitScenes)


def _sizes(config: CampaignConfig) -> list[int]:
    """Return the size of every image; 0 for those that are still to be made."""
    data = config.initial.data if isinstance(config.data, InboxData) else config.data
    if isinstance(data, MadeData):
        made = made_set(data, config.seed, config.store)
        if not made.is_there:
            return [0] * data.images
        data = made.folder
    assert isinstance(data, FolderData)  # noqa: S101 - an inbox comes with a data set
    if is_local(data.root):
        return [os.stat(path).st_size for path in scan(Path(data.root)).images]  # noqa: PTH116
    return [entry.size for entry in entries(data.root) if is_image(entry.path)]


def _estimated(config: CampaignConfig, n_images: int) -> int:
    """Return how many batches there will be, if all images can be read and have labels."""
    arriving = config.batches
    if arriving.count is not None:
        return arriving.count
    if config.lists is not None:
        return max(len(read_lists(config.lists).samples) - arriving.holdout_batches, 1)
    if isinstance(config.data, StreamData):
        return max(config.data.frames // arriving.sampling_batch, 1)
    own = config.initial.data is not None
    gaps = arriving.gap * (2 - own) if arriving.order == "capture" else 0
    pool = n_images - (0 if own else config.initial.images or 0) - gaps
    return max(pool // arriving.sampling_batch - arriving.holdout_batches, 1)

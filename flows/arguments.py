"""Convert parts of a config to arguments of stages."""

from __future__ import annotations

from backhaul.analysis.subject import Subject
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.setting import Play
from backhaul.code import UserCode
from backhaul.data.settings import FolderData, StreamData
from backhaul.errors import InputError
from backhaul.sampling import Method
from backhaul.storage.addresses import is_local
from backhaul.storage.places import require_bucket
from backhaul.values.artifacts import Artifact
from blocks.opening import BLOCK, resolve
from tasks.labelling import label_existing, label_known, label_with
from tasks.stage import Lookups, Step


def opened(config: CampaignConfig) -> CampaignConfig:
    """Return the config with addresses that this process can read, keys of blocks taken up.

    Raises:
        InputError: If a block or bucket is not there, or the store refuses its keys.
    """
    store = resolve(config.store)
    require_bucket(store)
    initial = config.initial
    if isinstance(initial.data, FolderData):
        initial = initial.model_copy(update={"data": readable(initial.data)})
    data = config.data
    if isinstance(data, FolderData):
        data = readable(data)
    if isinstance(data, StreamData) and isinstance(data.of, FolderData):
        data = data.model_copy(update={"of": readable(data.of)})
    start = config.start
    if start is not None:
        start = start.model_copy(update={"checkpoint": resolve(start.checkpoint)})
    return config.model_copy(
        update={"store": store, "data": data, "initial": initial, "start": start}
    )


def blocks_of(config: CampaignConfig) -> tuple[str, ...]:
    """Return the addresses of images and checkpoints in `config` that name a block."""
    return tuple(each for each in config.read_from.values() if each.startswith(BLOCK))


def readable(data: FolderData) -> FolderData:
    """Return a data set with an address that this process can read.

    Raises:
        InputError: If a block is not there.
    """
    if is_local(data.root):
        return data
    return data.model_copy(update={"root": resolve(data.root)})


def run_key(config: CampaignConfig, label: str = "") -> str:
    """Return the key of the lease on a run, or on one of its methods.

    Neither names of runs nor labels have the sign between them.
    """
    return f"run={config.name}={label}"


def arm_of(config: CampaignConfig, label: str) -> Method:
    """Return the method of that label.

    Raises:
        InputError: If the campaign has none.
    """
    arms = {arm.label: arm for arm in config.arms}
    if label not in arms:
        raise InputError(f"label: {label!r} is none of {', '.join(arms)}")
    return arms[label]


def step_of(
    config: CampaignConfig,
    method: str = "",
    batch: int | None = None,
    lookups: Lookups | None = None,
) -> Step:
    """Return the `Step` for stages of the campaign.

    Args:
        config: The campaign.
        method: Label of the method; empty for what all share.
        batch: Number of the batch; None before the first.
        lookups: If given, stages of the step are looked up, and none is run.
    """
    return Step(
        root=config.store,
        seed=config.seed,
        method=method,
        batch=batch,
        device=config.training.device,
        threads=config.training.threads,
        keep_checkpoints=config.keep_checkpoints,
        detector=config.training.detector,
        trust=config.training.trust,
        lookups=lookups,
    )


def step_of_subject(run: Subject, method: str = "", batch: int | None = None) -> Step:
    """Return the `Step` for stages of an analysis.

    Args:
        run: The run that is analysed.
        method: Label of the method; empty for what all share.
        batch: Number of the batch; None before the first.
    """
    return Step(
        root=run.files.root,
        seed=run.config.seed,
        method=method,
        batch=batch,
        device=run.config.training.device,
        threads=run.config.training.threads,
        detector=run.own.detector,
        trust=run.own.trust,
    )


def label(images: Artifact, config: CampaignConfig, truth: Artifact, step: Step) -> Artifact:
    """Return `images` with labels from the source that the config names.

    Args:
        images: An `ImageSet` without labels.
        config: The campaign.
        truth: An `ImageSet` with the labels of the data set.
        step: The step that the stage runs in.
    """
    source = config.labelling.source
    if isinstance(source, UserCode):
        return label_with(images, source, step=step)
    return label_existing(images, truth, step=step)


def known_truth(
    images: Artifact, config: CampaignConfig, truth: Artifact, step: Step
) -> Artifact | None:
    """Return `images` with their existing labels; None if labels must be made.

    Args:
        images: An `ImageSet` without labels.
        config: The campaign.
        truth: An `ImageSet` with the labels of the data set.
        step: The step that the stage runs in.
    """
    if isinstance(config.labelling.source, UserCode):
        return None
    return label_known(images, truth, step=step)


def following_truth(config: CampaignConfig, play: Play, step: Step) -> Artifact | None:
    """Return the next batch with its labels; None if either does not exist.

    Args:
        config: The campaign.
        play: The current batch.
        step: The step that the stage runs in.
    """
    if play.following is None:
        return None
    return known_truth(play.following, config, play.truth, step)

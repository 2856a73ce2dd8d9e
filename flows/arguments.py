"""How the parts of a config become the arguments of stages."""

from __future__ import annotations

from backhaul.artifacts import Artifact
from backhaul.config import CampaignConfig
from backhaul.detector.checkpoint import Checkpoint
from backhaul.fusion import ensemble_epochs
from backhaul.plugins import UserCode
from tasks.labelling import label_existing, label_with
from tasks.stages import Step


def step_of(config: CampaignConfig, method: str = "", batch: int | None = None) -> Step:
    """Return a step of the campaign."""
    return Step(
        root=config.store,
        seed=config.seed,
        method=method,
        batch=batch,
        device=config.training.device,
        threads=config.training.threads,
    )


def label(images: Artifact, config: CampaignConfig, dataset: Artifact, step: Step) -> Artifact:
    """Return `images` with labels from where the config says."""
    source = config.labelling.source
    if isinstance(source, UserCode):
        return label_with(images, source, step=step)
    return label_existing(images, dataset, step=step)


def known_truth(
    images: Artifact, config: CampaignConfig, dataset: Artifact, step: Step
) -> Artifact | None:
    """Return `images` with labels where they cost nothing: those of the data set."""
    if isinstance(config.labelling.source, UserCode):
        return None
    return label_existing(images, dataset, step=step)


def ensemble(
    checkpoints: tuple[Checkpoint, ...], config: CampaignConfig
) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that look at a batch together."""
    chosen = ensemble_epochs(
        [c.epoch for c in checkpoints],
        config.inference.conf_check_num,
        config.inference.first_epoch_fraction,
    )
    return tuple(c for c in checkpoints if c.epoch in chosen)

"""Make a model for nodes of checkpoints, and measure what it loses by that."""

from __future__ import annotations

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.runrecords import LookingConfig
from backhaul.errors import InputError
from backhaul.learn.export.settings import Export
from backhaul.storage.objects import read_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.images import ImageSet
from backhaul.values.results import NodeModel, Reevaluated
from tasks.export import export, reevaluate
from tasks.series import predict_part
from tasks.stage import Step
from tasks.validation import validation_set


def export_measured(
    checkpoints: tuple[Checkpoint, ...],
    seen: Artifact,
    settings: Export,
    config: CampaignConfig | LookingConfig,
    step: Step,
) -> tuple[NodeModel, Reevaluated]:
    """Return an ensemble as one file for nodes, and what it reaches on validation images.

    Args:
        checkpoints: The ensemble, of Ultralytics' detectors.
        seen: The images that it was trained and validated on (`Splits`).
        settings: How the model is made.
        config: How the campaign's checkpoints look.
        step: The step that the stages run in.

    Raises:
        InputError: If there is nothing to evaluate it on.
    """
    img_size, inference, evaluation = (
        config.training.img_size,
        config.inference,
        config.evaluation,
    )
    images = validation_set(seen, step=step)
    if not read_value(ImageSet, images).presence().any():
        raise InputError(
            "the run has no labelled objects in validation images: a model is evaluated on "
            "them before it leaves"
        )
    model = export(checkpoints, seen, settings, img_size, step=step)
    before = tuple(
        predict_part(images, each, inference, evaluation.conf_floor, img_size, step=step)
        for each in checkpoints
    )
    measured = reevaluate(model, before, images, inference, evaluation, step=step)
    return model, measured

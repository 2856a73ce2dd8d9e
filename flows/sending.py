"""Bring images into the form in which they are sent, and find labels of what was sent."""

from __future__ import annotations

from backhaul.campaign.config import CampaignConfig
from backhaul.code import UserCode
from backhaul.data.recipes import SendCrops, SendOriginal
from backhaul.values.artifacts import Artifact
from backhaul.values.results import Offered, Sent
from tasks.offers import prepare_offers, truth_of_sent
from tasks.stage import Step

WHOLE = 1.0
"""Of a box that goes with an image; without crops there is no other."""


def offer(
    config: CampaignConfig, images: Artifact, fused: Artifact, step: Step
) -> Artifact | Offered:
    """Return a batch as it would be sent; as it was captured, if that is what is sent.

    Args:
        config: The campaign.
        images: The batch (`ImageSet`).
        fused: Detections in it (`FusedDetections`).
        step: The step that the stage runs in.
    """
    sending = config.sending
    if isinstance(sending, SendOriginal):
        return images
    seen = fused if isinstance(sending, SendCrops) else None  # others are made once for all
    return prepare_offers(images, sending, seen, step=step)


def truth_of(sent: Sent, config: CampaignConfig, truth: Artifact, step: Step) -> Artifact:
    """Return an `ImageSet` with the labels of the images as they were sent.

    Args:
        sent: What was sent.
        config: The campaign; by its own function, labels are made and not found.
        truth: An `ImageSet` with labels of the images as they were captured.
        step: The step that the stage runs in.
    """
    if sent.versions is None or isinstance(config.labelling.source, UserCode):
        return truth
    sending = config.sending
    least = sending.min_visibility if isinstance(sending, SendCrops) else WHOLE
    return truth_of_sent(sent.versions, truth, least, step=step)

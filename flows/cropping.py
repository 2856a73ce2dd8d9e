"""Replace images by crops of the objects that the initial model detects."""

from __future__ import annotations

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import Standing
from backhaul.campaign.setting import Setting
from flows.arguments import step_of
from tasks.cropping import crop
from tasks.inference import infer


def crop_batches(config: CampaignConfig, setting: Setting, initial: Standing) -> Setting:
    """Return the setting in which batches are replaced by their crops, if the config says so.

    What the initial model sees in the first batch, which all methods share, is computed here.

    Args:
        config: The campaign.
        setting: Batches and test sets that all methods share.
        initial: The initial model.
    """
    count = {"none": 0, "first": 1, "all": len(setting.batches)}[config.cropping.batches]
    if not count:
        return setting
    step, img_size = step_of(config), config.training.img_size
    looking = config.inference.looking(initial.checkpoints)
    whole = setting.batches[:count]
    fused = tuple(infer(b, looking, config.inference, img_size, step=step) for b in whole)
    made = crop(whole, fused, setting.dataset, config.cropping, step=step)
    infer(made.batches[0], looking, config.inference, img_size, step=step)
    return setting.model_copy(
        update={
            "batches": (*made.batches, *setting.batches[count:]),
            "dataset": made.dataset,
            "crops": made.tables,
        }
    )

"""Read the data and arrange what all methods are put through."""

from __future__ import annotations

from backhaul.artifacts import Artifact
from backhaul.config import CampaignConfig
from flows.arguments import label, step_of
from tasks.data import data_folder, fingerprint, read_data
from tasks.evaluation import common_test_set, old_test_set
from tasks.setting import Setting
from tasks.split import Arrangement, arrange, split_images


def prepare(config: CampaignConfig) -> tuple[Setting, Arrangement, Artifact]:
    """Return what methods share, how the data are played, and the initial splits."""
    step = step_of(config)
    folder = data_folder(config.data, config.store)
    dataset = read_data(folder, fingerprint=fingerprint(folder), step=step).images
    arrangement = arrange(dataset, config.initial, config.batches, config.labelling, step=step)
    splits = split_images(arrangement.initial, None, config.initial.fractions, step=step)
    held_out = label(arrangement.holdout, config, dataset, step)
    setting = Setting(
        dataset=dataset,
        batches=arrangement.batches,
        common=common_test_set(splits, held_out, step=step),
        old_test=old_test_set(splits, step=step),
    )
    return setting, arrangement, splits

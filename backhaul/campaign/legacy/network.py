"""Compare the training options in a Darknet file with the settings of the campaign."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.legacy.row import Row
from backhaul.data.formats.files import read_names
from backhaul.data.settings import FolderData
from backhaul.learn.darknet import read_sections

FIELDS = {
    "batch": "training.batch_size",
    "width": "training.img_size",
    "height": "training.img_size",
    "momentum": "training.momentum",
    "decay": "training.weight_decay",
    "learning_rate": "training.lr0",
}
"""Options of [net] and the fields that mean the same."""

REASONS = {
    "subdivisions": "no part of a batch is computed apart; see training.gradient_accumulations",
    "channels": "images are read in three channels",
    "burn_in": "counted in steps; the rate rises for training.warmup_epochs",
    "max_batches": "counted in steps; training.max_epochs is the limit",
    "policy": "the rate falls linearly to training.lr0 x training.lrf",
    "steps": "the rate falls linearly to training.lr0 x training.lrf",
    "scales": "the rate falls linearly to training.lr0 x training.lrf",
    **dict.fromkeys(
        ("angle", "saturation", "exposure", "hue"),
        "copies are varied once, before a training; set augmentation.pipeline for others",
    ),
}
"""Options of [net] that are no field here, and what holds in their place."""

ALWAYS = {"channels": 3.0, "subdivisions": 1.0, "angle": 0.0}
"""Values of options that are no field here, because they hold for every campaign."""


def network_rows(path: Path, config: CampaignConfig) -> Iterator[Row]:
    """Yield a row for each option of [net], and one for the number of classes.

    Nothing of it enters the campaign: where it agrees with the campaign it is ``mapped``, else
    ``changed``, with the value that holds.
    """
    sections = read_sections(path)
    for option, text in sections[0][1].items():
        key = f"[net] {option}"
        if option in FIELDS:
            value = attrgetter(FIELDS[option])(config)
            same = _number(text) == value
            why = "" if same else f"the campaign says; set {FIELDS[option]}={text} if wanted"
            here = f"{FIELDS[option]} = {value}"
            yield Row(key, text, "mapped" if same else "changed", here, why)
        elif option in ALWAYS and _number(text) == ALWAYS[option]:
            yield Row(key, text, "mapped", "always so")
        else:
            yield Row(key, text, "refused", "", REASONS.get(option, "nothing like it here"))
    yield from _classes({o["classes"] for kind, o in sections if "classes" in o}, config)


def _classes(found: set[str], config: CampaignConfig) -> Iterator[Row]:
    names = config.data.names if isinstance(config.data, FolderData) else None
    known = len(read_names(names)) if names is not None and names.is_file() else None
    why = "the model gets an output for each name of the data set"
    for text in sorted(found):
        here = "as many as the data set has" if known is None else f"{known} in {names}"
        same = known is not None and _number(text) == known
        yield Row("[yolo] classes", text, "mapped" if same else "changed", here, why)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

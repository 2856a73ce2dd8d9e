"""A campaign as a person writes it: every field with its meaning, unit and default."""

from backhaul.config.campaign import CampaignConfig
from backhaul.config.data import (
    Batches,
    Data,
    DigitsData,
    FolderData,
    InboxData,
    InitialSet,
    SplitFractions,
    Start,
)
from backhaul.config.part import Part
from backhaul.config.stages import (
    Augmentation,
    Cropping,
    Evaluation,
    Inference,
    Labelling,
    Mixing,
)
from backhaul.config.training import (
    GlStopping,
    NoStopping,
    PqStopping,
    Stopping,
    Training,
    UpStopping,
    UserStopping,
)

__all__ = [
    "Augmentation",
    "Batches",
    "CampaignConfig",
    "Cropping",
    "Data",
    "DigitsData",
    "Evaluation",
    "FolderData",
    "GlStopping",
    "InboxData",
    "Inference",
    "InitialSet",
    "Labelling",
    "Mixing",
    "NoStopping",
    "Part",
    "PqStopping",
    "SplitFractions",
    "Start",
    "Stopping",
    "Training",
    "UpStopping",
    "UserStopping",
]

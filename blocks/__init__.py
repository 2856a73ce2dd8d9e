"""Prefect blocks that an operator fills in: store, uplink, label source, Label Studio."""

from blocks.label_source import LabelSource
from blocks.label_studio import LabelStudio
from blocks.object_store import ObjectStore
from blocks.uplink import Uplink

__all__ = ["LabelSource", "LabelStudio", "ObjectStore", "Uplink"]

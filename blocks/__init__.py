"""Prefect blocks that an operator fills in: object store, uplink, label source."""

from blocks.label_source import LabelSource
from blocks.object_store import ObjectStore
from blocks.uplink import Uplink

__all__ = ["LabelSource", "ObjectStore", "Uplink"]

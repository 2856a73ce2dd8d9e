"""Prefect blocks that an operator fills in: object store, uplink, label source."""

from blocks.object_store import ObjectStore

__all__ = ["ObjectStore"]

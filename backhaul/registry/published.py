"""What was published of the versions of a run's model, as its log has it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.registry.log import Entry, Value

OUT = ("canary", "published")
"""Kinds of entries that say what was published."""


class PublishedVersion(BaseModel):
    """The files of a version that were published for a group of nodes.

    Args:
        group: The group.
        name: What the release calls the model.
        model: Digest of the model.
        model_bytes: Its size.
        probe: Digest of the probe images with what it finds in them.
        probe_bytes: Their size.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    group: str
    name: str
    model: str
    model_bytes: int
    probe: str
    probe_bytes: int

    @property
    def values(self) -> dict[str, Value]:
        """The same as values of an entry."""
        return {**self.model_dump()}


def published_versions(entries: Iterable[Entry], group: str) -> dict[int, PublishedVersion]:
    """Return what was published for a group, by version; of one version, what came last.

    Entries that do not say all of it are passed over.
    """
    found = {}
    for entry in entries:
        if entry.kind not in OUT or entry.version is None:
            continue
        try:
            published = PublishedVersion.model_validate(entry.values)
        except ValidationError:
            continue
        if published.group == group:
            found[entry.version] = published
    return found


def models_published(entries: Iterable[Entry]) -> dict[str, int]:
    """Return the version that each published model is, by digest, for whatever group.

    Where two versions have the same model, as a round without a training makes them, it is the
    later one.
    """
    found = {}
    for entry in entries:
        model = entry.values.get("model")
        if entry.kind in OUT and entry.version is not None and isinstance(model, str):
            found[model] = entry.version
    return found

"""Signed metadata in a store: a reader never sees half, and two writers never mix.

Files of a version are never changed; the timestamp is replaced last, and only if it is still
the one that was read (a conditional write): whoever comes second begins anew from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from backhaul.errors import InputError
from backhaul.node.updates.source import SIGNED_AT, TIME
from backhaul.nodelayout import published_place
from backhaul.publication.keys import Keys
from backhaul.storage.conditional import create, read_or_none, swap
from backhaul.storage.objects import replace

S = TypeVar("S", Targets, Snapshot, Timestamp)

TARGETS_DAYS = 365
"""What the rarely changed metadata are good for; they are signed anew once half is over."""


@dataclass(frozen=True)
class Standing:
    """What is published.

    Args:
        raw: The timestamp as it is stored; None = nothing was published yet.
        timestamp: The timestamp.
        snapshot: The snapshot.
        targets: The targets.
        is_trusted: Whether all are signed by the newest keys.
    """

    raw: bytes | None
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    is_trusted: bool = True


@dataclass(frozen=True)
class Repository:
    """The metadata below ``published/metadata/`` of a store.

    Args:
        root: Root of the store.
        keys: That sign.
        days: What a timestamp is good for.
    """

    root: str
    keys: Keys
    days: float = 7.0

    def read(self) -> Standing:
        """Return what is published, as signed by keys of now or earlier ones.

        Raises:
            InputError: If it is not signed by any of them: it is somebody else's, or damaged.
        """
        raw = read_or_none(self._place("timestamp.json"))
        if raw is None:
            return Standing(None, Timestamp(), Snapshot(), Targets())
        timestamp, is_new = self._opened(Timestamp, raw, "timestamp.json")
        name = f"{timestamp.snapshot_meta.version}.snapshot.json"
        snapshot, newer = self._opened(Snapshot, read_or_none(self._place(name)), name)
        name = f"{snapshot.meta['targets.json'].version}.targets.json"
        targets, newest = self._opened(Targets, read_or_none(self._place(name)), name)
        return Standing(raw, timestamp, snapshot, targets, is_new and newer and newest)

    def publish(self, before: Standing, files: Mapping[str, TargetFile]) -> bool:
        """Let these files be published and no others; return whether nobody else was faster."""
        self._put_roots()
        first = 0 if before.raw is None else 1
        targets = Targets(before.targets.version + first, targets=dict(files))
        meta = {"targets.json": self._create(targets, "targets")}
        snapshot = Snapshot(before.snapshot.version + first, meta=meta)
        return self._replace_timestamp(before, self._create(snapshot, "snapshot"))

    def refresh(self, before: Standing) -> bool:
        """Sign anew what is published; return whether nobody else was faster."""
        half = datetime.now(UTC) + timedelta(days=TARGETS_DAYS / 2)
        ends = min(before.targets.expires, before.snapshot.expires)
        if not before.is_trusted or ends < half:
            return self.publish(before, before.targets.targets)
        self._put_roots()
        return self._replace_timestamp(before, before.timestamp.snapshot_meta)

    def _put_roots(self) -> None:
        for version, data in enumerate(self.keys.roots, start=1):
            if not create(self._place(f"{version}.root.json"), data):
                raise InputError(
                    f"{self.root}: has another root of version {version}: it is published with "
                    "other keys"
                )

    def _create(self, signed: Targets | Snapshot, role: str) -> MetaFile:
        """Write the first version from this one on that nobody has written."""
        signed.expires = datetime.now(UTC) + timedelta(days=TARGETS_DAYS)
        while True:
            data = self._signed(signed, role)
            if create(self._place(f"{signed.version}.{role}.json"), data):
                return MetaFile.from_data(signed.version, data, ["sha256"])
            signed.version += 1

    def _replace_timestamp(self, before: Standing, snapshot: MetaFile) -> bool:
        now = datetime.now(UTC)
        timestamp = Timestamp(
            before.timestamp.version + (0 if before.raw is None else 1),
            expires=now + timedelta(days=self.days),
            snapshot_meta=snapshot,
            unrecognized_fields={SIGNED_AT: now.strftime(TIME)},
        )
        place, data = self._place("timestamp.json"), self._signed(timestamp, "timestamp")
        return create(place, data) if before.raw is None else swap(place, before.raw, data)

    def _signed(self, signed: Targets | Snapshot | Timestamp, role: str) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(self.keys.signers[role])
        return metadata.to_bytes()

    def _opened(self, kind: type[S], data: bytes | None, name: str) -> tuple[S, bool]:
        """Return metadata, and whether the newest root trusts them."""
        try:
            metadata: Metadata[Any] = Metadata[kind].from_bytes(data or b"")  # type: ignore[valid-type]
            for number, raw in enumerate(reversed(self.keys.roots)):
                root = Metadata[Root].from_bytes(raw).signed
                try:
                    root.verify_delegate(kind.type, metadata.signed_bytes, metadata.signatures)
                except RepositoryError:
                    continue
                found: S = metadata.signed
                return found, number == 0
        except RepositoryError:
            pass
        raise InputError(f"{self._place(name)}: is not signed by these keys, or is damaged")

    def _place(self, name: str) -> str:
        return published_place(self.root, f"metadata/{name}")


def put_target(root: str, place: str, data: bytes) -> TargetFile:
    """Store a file that is to be published, under a name with its digest.

    Args:
        root: Root of the store.
        place: Name of the target.
        data: Its content.
    """
    target = TargetFile.from_data(place, data, ["sha256"])
    replace(target_uri(root, target), data)
    return target


def target_uri(root: str, target: TargetFile) -> str:
    """Return where a published file lies."""
    folder, _, name = target.path.rpartition("/")
    return published_place(root, f"targets/{folder}/{target.hashes['sha256']}.{name}")

"""What parcels are at home: their names, and their content."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from backhaul.node.container import Kept, unpack
from backhaul.node.disk import Disk
from backhaul.node.embedding import embedding
from backhaul.node.frame import Frame
from backhaul.node.happenings import ReportParcel, SidecarParcel, SummaryParcel
from backhaul.node.sidecar import packed, seen_of
from backhaul.nodelayout import report_name

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Packed:
    """A parcel as it goes over the wire.

    Args:
        name: Its name at home, below what the node may write.
        data: Its content.
    """

    name: str
    data: bytes


def pack_frame(node: str, disk: Disk, digest: str) -> Packed:
    """Return a frame's picture.

    Raises:
        DamagedFrameError: If its file is not what was written.
        OSError: If it is gone.
    """
    kept = unpack(disk.read(digest), digest)
    return Packed(f"inbox/{node}/{digest}{kept.frame.suffix}", kept.content)


def pack_sidecars(
    node: str, disk: Disk, parcel: SidecarParcel, frames: dict[str, Frame]
) -> Packed:
    """Return the sidecars of some frames as one object; a damaged file has none.

    Args:
        node: Name of the node.
        disk: The files.
        parcel: Which frames.
        frames: What is known of them by now.
    """
    told = []
    for digest in parcel.digests:
        try:
            told.append(_told(unpack(disk.read(digest), digest), frames.get(digest)))
        except (ValueError, OSError):
            continue
    data = gzip.compress(json.dumps(told, separators=(",", ":")).encode(), mtime=0)
    name = hashlib.sha256(data).hexdigest()[:_DIGITS]
    return Packed(f"nodes/{node}/sidecars/{parcel.batch:08d}-{name}.json.gz", data)


def pack_summary(node: str, parcel: SummaryParcel) -> Packed:
    """Return the summary of a window."""
    name = hashlib.sha256(parcel.text).hexdigest()[:_DIGITS]
    return Packed(f"nodes/{node}/windows/{parcel.window:010d}-{name}.json", parcel.text)


def pack_status(node: str, status: dict[str, Any]) -> Packed:
    """Return how a node is; it takes the place of what was there."""
    return Packed(status_name(node), json.dumps(status).encode())


def pack_report(node: str, parcel: ReportParcel) -> Packed:
    """Return a report; it takes the place of the one before."""
    return Packed(report_name(node), parcel.data)


def status_name(node: str) -> str:
    """Return where a node says how it is."""
    return f"nodes/{node}/status.json"


def _told(kept: Kept, frame: Frame | None) -> dict[str, Any]:
    """Return a sidecar as home gets it: with one short vector, and what is decided by now."""
    seen = seen_of(kept.sidecar, kept.frame.digest)
    sidecar = {k: v for k, v in kept.sidecar.items() if k not in ("descriptor", "features")}
    if frame is not None:
        sidecar |= {"why": frame.why, "value": round(frame.value, 6)}
    space = "descriptors" if seen.features is None else "features"
    vector = packed(embedding(seen.vector(space)))
    return {**sidecar, "embedding": vector, "embedding_of": space}

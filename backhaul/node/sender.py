"""The thread of a node that talks to home, one parcel at a time."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from typing import Any

from backhaul.node.container import DamagedFrameError
from backhaul.node.disk import Disk
from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Delivered,
    Event,
    Failed,
    FrameParcel,
    Parcel,
    Send,
    SidecarParcel,
    StatusParcel,
    SummaryParcel,
    Wanted,
)
from backhaul.node.parcels import (
    Packed,
    pack_frame,
    pack_sidecars,
    pack_status,
    pack_summary,
    wants_name,
)
from backhaul.uplink.home import Home, HomeRefusedError, LinkDownError
from backhaul.uplink.once import put_once

MOST_WANTS_BYTES = 1_000_000


class Sender:
    """Sends parcels in a thread of its own, and tells what became of them.

    Args:
        node: Name of the node.
        home: Where to.
        disk: Where the frames lie.
        tell: Takes what has happened; called in that thread.
    """

    def __init__(
        self, node: str, home: Home, disk: Disk, tell: Callable[[Event], None]
    ) -> None:
        self._node, self._home, self._disk, self._tell = node, home, disk, tell
        self._jobs: queue.SimpleQueue[tuple[Send, dict[str, Any]] | None] = queue.SimpleQueue()
        self._wants: str | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def send(self, effect: Send, known: dict[str, Any]) -> None:
        """Begin to send a parcel.

        Args:
            effect: The parcel.
            known: Of sidecars, the frames by digest; of a status, what it says.
        """
        self._jobs.put((effect, known))

    def close(self, wait_s: float) -> None:
        """End the thread, after what it is at, if that does not take too long."""
        self._jobs.put(None)
        self._thread.join(wait_s)
        if not self._thread.is_alive():
            self._home.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            effect, known = job
            before = self._home.traffic
            kind, reason = "", ""
            try:
                self._deliver(effect, known)
            except LinkDownError as error:
                kind, reason = "down", str(error)
            except HomeRefusedError as error:
                kind, reason = "refused", str(error)
            except (DamagedFrameError, FileNotFoundError) as error:
                kind, reason = "damaged", str(error)
            except Exception as error:  # the thread must not end: what it is at is tried again
                kind, reason = "down", f"{type(error).__name__}: {error}"
            gone = self._home.traffic - before
            if kind:
                self._tell(
                    Failed(effect.parcel, gone.up_bytes, gone.down_bytes, kind, reason)  # type: ignore[arg-type]
                )
            else:
                self._tell(Delivered(effect.parcel, gone.up_bytes, gone.down_bytes))

    def _deliver(self, effect: Send, known: dict[str, Any]) -> None:
        packed = self._packed(effect.parcel, known)
        if isinstance(effect.parcel, StatusParcel):
            self._home.put(packed.name, packed.data)
            self._ask_wants()
        else:
            put_once(self._home, packed.name, packed.data, uncertain=effect.ask_first)

    def _packed(self, parcel: Parcel, known: dict[str, Any]) -> Packed:
        match parcel:
            case FrameParcel(digest):
                return pack_frame(self._node, self._disk, digest)
            case SidecarParcel():
                frames: dict[str, Frame] = known
                return pack_sidecars(self._node, self._disk, parcel, frames)
            case SummaryParcel():
                return pack_summary(self._node, parcel)
            case StatusParcel():
                return pack_status(self._node, known)

    def _ask_wants(self) -> None:
        got = self._home.get(wants_name(self._node), self._wants, MOST_WANTS_BYTES)
        if got is None or got.data is None:
            return
        self._wants = got.etag
        try:
            named = json.loads(got.data)["frames"]
            wanted = frozenset(str(digest) for digest in named)
        except (ValueError, KeyError, TypeError):
            return
        self._tell(Wanted(wanted))

"""The thread of a node that talks to home, one parcel at a time."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from backhaul.node.container import DamagedFrameError
from backhaul.node.disk import Disk
from backhaul.node.frame import Frame
from backhaul.node.happenings import (
    Asked,
    Delivered,
    Event,
    Failed,
    FrameParcel,
    KeysParcel,
    Offered,
    Parcel,
    ReportParcel,
    Send,
    SidecarParcel,
    StatusParcel,
    SummaryParcel,
    Wanted,
)
from backhaul.node.keyring import Keyring
from backhaul.node.parcels import (
    Packed,
    pack_frame,
    pack_report,
    pack_sidecars,
    pack_status,
    pack_summary,
)
from backhaul.node.wants import wants_of
from backhaul.nodelayout import wants_name
from backhaul.untrusted import TooLargeError, one_line
from backhaul.uplink.home import Home, HomeRefusedError, LinkDownError
from backhaul.uplink.once import put_once

LOG = logging.getLogger(__name__)

MOST_WANTS_BYTES = 1_000_000
_REPLACES = (StatusParcel, KeysParcel, ReportParcel)


class Sender:
    """Sends parcels in a thread of its own, and tells what became of them.

    Args:
        node: Name of the node.
        home: Where to.
        disk: Where the frames lie.
        keyring: The keys of the node.
        tell: Takes what has happened; called in that thread.
    """

    def __init__(
        self,
        node: str,
        home: Home,
        disk: Disk,
        keyring: Keyring,
        tell: Callable[[Event], None],
    ) -> None:
        self._node, self._home, self._disk, self._tell = node, home, disk, tell
        self._keyring = keyring
        self._jobs: queue.SimpleQueue[tuple[Send, dict[str, Any]] | None] = queue.SimpleQueue()
        self._wants: str | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def send(self, effect: Send, known: dict[str, Any]) -> None:
        """Begin to send a parcel.

        Args:
            effect: The parcel.
            known: Of sidecars, the frames by digest; of a status, and of one with new keys,
                what it says.
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
        if isinstance(effect.parcel, KeysParcel):
            self._try_keys(effect.parcel.sealed, packed)
        elif isinstance(effect.parcel, _REPLACES):
            self._home.put(packed.name, packed.data)
            if isinstance(effect.parcel, StatusParcel):
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
            case StatusParcel() | KeysParcel():
                return pack_status(self._node, known)
            case ReportParcel():
                return pack_report(self._node, parcel)

    def _try_keys(self, sealed: str, status: Packed) -> None:
        """Write and read with new keys, what the node does all day; raise if they may not."""
        try:
            home = self._keyring.home_with(sealed, self._home)
            home.put(status.name, status.data)
            may_read = home.get(wants_name(self._node), self._wants, MOST_WANTS_BYTES)
        except HomeRefusedError as error:
            self._keyring.refuse(str(error))
            raise
        if may_read is None:
            self._keyring.refuse(reason := "they may write, and not read what home wants")
            raise HomeRefusedError(reason)

    def _ask_wants(self) -> None:
        try:
            got = self._home.get(wants_name(self._node), self._wants, MOST_WANTS_BYTES)
        except TooLargeError as error:  # the status has come; it is not sent again for that
            LOG.warning("what home wants is not read: %s", one_line(str(error)))
            return
        if got is None or got.data is None:
            return
        self._wants = got.etag
        wants = wants_of(got.data)
        if wants.frames:
            self._tell(Wanted(wants.frames))
        self._tell(Offered(wants.keys if self._keyring.is_new(wants.keys) else ""))
        if wants.ask:
            self._tell(Asked(wants.ask))

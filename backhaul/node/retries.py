"""What is tried again when, so that nothing which home does not take holds up the rest."""

from __future__ import annotations

from backhaul.node.happenings import (
    FrameParcel,
    KeysParcel,
    Parcel,
    ReportParcel,
    SidecarParcel,
    StatusParcel,
)

LATER_S = 30.0
"""What tells about frames, and failed, is no longer first for at least so long."""
PATIENCE = 3
"""A frame that failed so often in a row lets others go first."""
_MOST_FAILED = 1_000
_REPLACED = (StatusParcel, KeysParcel, ReportParcel)
"""What takes the place of the one before at home: it is put again without a question."""
_MOST_DOUBLINGS = 20


class Retries:
    """Remembers what did not get through.

    An outage makes everything fail, and what is best stays first. But a status that home
    refuses, or a frame that is too large for what lies in between, fails alone: it goes on
    being tried, ever less often, and the others go in between.
    """

    def __init__(self) -> None:
        self._first_again_s: dict[type[Parcel], float] = {}
        self._doubtful: dict[type[Parcel], Parcel] = {}
        self._failed: dict[str, tuple[int, int]] = {}
        self._n_delivered = 0

    def failed(self, parcel: Parcel, again_s: float, *, is_doubtful: bool) -> None:
        """Note that a parcel failed.

        Args:
            parcel: The parcel.
            again_s: Until when parcels of its kind come after others, unless it is a frame.
            is_doubtful: Whether home may have it.
        """
        if isinstance(parcel, FrameParcel):
            self._rest(parcel.digest)
            return
        self._first_again_s[type(parcel)] = again_s
        if is_doubtful and not isinstance(parcel, _REPLACED):
            self._doubtful[type(parcel)] = parcel

    def delivered(self, parcel: Parcel) -> None:
        """Note that home has a parcel."""
        if isinstance(parcel, FrameParcel):
            self._n_delivered += 1
            self._failed.pop(parcel.digest, None)
            return
        self._first_again_s.pop(type(parcel), None)
        if self.is_doubtful(parcel):
            del self._doubtful[type(parcel)]

    def is_doubtful(self, parcel: Parcel) -> bool:
        """Return whether home may have a parcel that is no frame."""
        return self._doubtful.get(type(parcel)) == parcel

    def sidecars(self) -> SidecarParcel | None:
        """Return the sidecars that home may have; None if there are none."""
        found = self._doubtful.get(SidecarParcel)
        return found if isinstance(found, SidecarParcel) else None

    def comes_later(self, kind: type[Parcel], mono_s: float) -> bool:
        """Return whether parcels of a kind come after others for now."""
        return mono_s < self._first_again_s.get(kind, mono_s)

    def rests(self, digest: str) -> bool:
        """Return whether other frames go before one, whatever it is worth."""
        failures, again = self._failed.get(digest, (0, 0))
        return failures >= PATIENCE and self._n_delivered < again

    def _rest(self, digest: str) -> None:
        failures = self._failed.pop(digest, (0, 0))[0] + 1
        doublings = min(failures - PATIENCE + 1, _MOST_DOUBLINGS)
        again = self._n_delivered + (2**doublings if doublings > 0 else 0)
        self._failed[digest] = failures, again
        if len(self._failed) > _MOST_FAILED:
            del self._failed[next(iter(self._failed))]

"""What home asks of the node itself: to try new keys, and to report how it is."""

from __future__ import annotations

import math

from backhaul.node.happenings import (
    Asked,
    Effect,
    Gather,
    Gathered,
    KeysParcel,
    Offered,
    Parcel,
    Rekey,
    ReportParcel,
)
from backhaul.node.standing import Standing

TRIAL_BYTES = 2_000
"""What trying keys is reckoned to take: a status, and a question."""
KEYS_AGAIN_S = 600.0
"""Keys that did not work are tried again after so long: some stores learn of them late."""
MOST_REPORT_BYTES = 64_000
"""Of a report, compressed; home reads no more."""
_LEAST_REPORT_BYTES = 2_000


class Requests:
    """Decides when keys are tried and a report is sent; both wait for their allowance.

    Args:
        standing: Where the node stands.
    """

    def __init__(self, standing: Standing) -> None:
        self._at = standing
        self._offered: str | None = None
        self._question = ""
        self._report: ReportParcel | None = None
        self.again_mono_s = -math.inf
        """When keys that did not work are tried again, by the monotonic clock."""

    @property
    def wait(self) -> bool:
        """Whether something is to be sent as soon as it may."""
        is_due = self._at.now.mono_s >= self.again_mono_s
        return self._report is not None or (self._offered is not None and is_due)

    def after(self, event: Offered | Asked | Gathered) -> list[Effect]:
        """Return what is to be done after home asked, or a report is there."""
        match event:
            case Offered(sealed):
                self._offered, self.again_mono_s = sealed or None, -math.inf
            case Asked(question):
                return self._gather(question)
            case Gathered(question, data):
                self._report = ReportParcel(question, data)
        return []

    def _gather(self, question: str) -> list[Effect]:
        if question in (self._at.memory.answered, self._question):
            return []
        self._question = question
        most = MOST_REPORT_BYTES
        while most > _LEAST_REPORT_BYTES and not self._at.budget.ever_allows(most):
            most //= 2
        return [Gather(question, most)]

    def keys(self) -> tuple[Parcel, int, bool] | None:
        """Return new keys to be tried, if they may be tried now."""
        at = self._at
        if self._offered is None or at.now.mono_s < self.again_mono_s:
            return None
        if not at.budget.allows(TRIAL_BYTES, at.t, images=0):
            return None
        return KeysParcel(self._offered), at.budget.cost_bytes(TRIAL_BYTES), False

    def report(self) -> tuple[Parcel, int, bool] | None:
        """Return a report that waits, if it may go now."""
        at, report = self._at, self._report
        if report is None or not at.budget.allows(len(report.data), at.t, images=0):
            return None
        return report, at.budget.cost_bytes(len(report.data)), False

    def delivered(self, parcel: KeysParcel | ReportParcel) -> list[Effect]:
        """Return what is to be done once keys have worked, or home has a report."""
        if isinstance(parcel, KeysParcel):
            self.refused()  # until `Offered` says that they are in use: a disk may be full
            return [Rekey(parcel.sealed)]
        self._at.memory.answered, self._at.is_dirty = parcel.question, True
        if parcel == self._report:
            self._report = None
        return []

    def refused(self) -> None:
        """Note that the keys are not in use: the node keeps its own, and tries them later."""
        self.again_mono_s = self._at.now.mono_s + KEYS_AGAIN_S

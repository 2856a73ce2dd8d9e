"""What a study needs of its store until it is finished."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from backhaul.campaign.studyrecord import STUDY, StudyRecord, study_records


class Needs:
    """Notes in a store which results a study has used, from several threads.

    `backhaul store prune` leaves them, and all that they name, until no training is missing.

    Args:
        root: Root of the store, absolute.
        name: Name of the study.
        n_missing: Trainings of the whole study that are missing.
    """

    def __init__(self, root: str, name: str, n_missing: int) -> None:
        self._place = f"{study_records(root)}/{name}.json"
        self._n_missing = n_missing
        self._lock = Lock()
        known = STUDY.read(self._place)
        self._results = set() if known is None else set(known.results)
        self._write()

    def note(self, results: Iterable[str], n_trained: int = 1) -> None:
        """Note results that were used, and how many more trainings are known by them."""
        with self._lock:
            self._n_missing -= n_trained
            self._results |= set(results)
            self._write()

    def _write(self) -> None:
        finished, used = not self._n_missing, tuple(sorted(self._results))
        STUDY.write(self._place, StudyRecord(finished=finished, results=used))

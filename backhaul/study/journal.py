"""The table of a study while it is computed: what is still missing, and how long that takes."""

from __future__ import annotations

from threading import Lock

from backhaul.errors import InputError
from backhaul.events import Doing, emit
from backhaul.study.design import Cell, Plan, remaining_s
from backhaul.study.rows import Row, Table
from backhaul.study.settings import StudyConfig
from backhaul.study.wording import progress


class Journal:
    """Adds rows to a table, from several threads.

    Args:
        study: The study.
        table: Its table.
        plan: What is there, and what is to be computed.
        software: Digest of the versions of the software.
    """

    def __init__(self, study: StudyConfig, table: Table, plan: Plan, software: str) -> None:
        self.study = study
        self.table = table
        self.software = software
        self._rows = list(plan.known)
        self._missing = dict(plan.missing)
        self._lock = Lock()

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """Sets and seeds of which rows are missing."""
        with self._lock:
            return tuple(dict.fromkeys((cell.set, cell.seed) for cell in self._missing))

    def missing_of(self, name: str, seed: int) -> dict[Cell, str]:
        """Return what is missing of a set and a seed, with the digest of each."""
        with self._lock:
            cells = self._missing.items()
            return {c: digest for c, digest in cells if (c.set, c.seed) == (name, seed)}

    def add(self, cell: Cell, row: Row) -> str:
        """Write a row, tell listeners how far the study is, and return what they were told."""
        with self._lock:
            self.table.append(row)
            self._rows.append(row)
            del self._missing[cell]
            left_s = remaining_s(self._missing, self._rows, self.study.parallel)
            done = len(self._rows)
            far = progress(done, done + len(self._missing), left_s)
        score = "-" if row.map50 is None else f"{row.map50:.3f}"
        told = f"{cell}: mAP50 {score}; {far}"
        emit(Doing(told))
        return told

    def require_data(self, name: str, seed: int, data: str) -> None:
        """Do nothing if the rows of a seed were computed with these data.

        Raises:
            InputError: If they were not: what was measured on others is not paired with them.
        """
        with self._lock:
            own = [row for row in self._rows if (row.set, row.seed) == (name, seed)]
        if others := [row for row in own if row.data != data]:
            raise InputError(
                f"sets.{name}: its data are not those that {len(others)} rows of seed {seed} "
                "in rows.csv were computed with: give the set another name, or another --out"
            )

"""The table of a study: a row a training, appended as soon as it is known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.errors import InputError
from backhaul.study.lines import Lines
from backhaul.study.settings import Role
from backhaul.untrusted import one_line
from backhaul.values.offers import ORIGINAL


class Row(BaseModel):
    """One training and what its model reached on the test set.

    Args:
        set: Name of the set.
        seed: Seed of the pool, the test set and the initial model.
        role: What the seed was for when this was measured.
        arm: Label of the arm, or ``initial``, ``no-new-data`` or ``all-images``.
        draw: Number of the draw.
        budget: Name of the budget; empty for those that have none.
        training_seed: Number of the retraining; None for the initial model.
        n_images: Images that were chosen and trained on beside the initial ones.
        n_bytes: Their bytes.
        n_train: All images that were trained on, copies included.
        epochs: Epochs of the training; 0 for an initial model that was given.
        map50: mAP50 on the test set, in [0, 1]; None without any truth there.
        map50_95: mAP50-95 on the test set, in [0, 1].
        seconds: Wall time of training and test.
        inputs: Digest of the settings that it was computed with.
        selection: Digest of the chosen images, also of none; empty for ``initial``,
            ``no-new-data`` and ``all-images``, for which nobody chooses.
        data: Digest of pool, test set, initial set and given checkpoints of the seed.
        start: Digest of the initial model. Another machine may train another one.
        software: Digest of the versions of the software; `study.json` has them.
        recipe: Name of the form in which images were sent.
        map50_small: mAP50 on objects of at most 32 x 32 pixels; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    seed: int
    role: Role
    arm: str
    draw: int
    budget: str
    training_seed: int | None
    n_images: int
    n_bytes: int
    n_train: int
    epochs: int
    map50: float | None
    map50_95: float | None
    seconds: float
    inputs: str
    selection: str
    data: str
    start: str
    software: str
    recipe: str = ORIGINAL
    map50_small: float | None = None


COLUMNS = tuple(Row.model_fields)
FIRST_COLUMNS = tuple(n for n, field in Row.model_fields.items() if field.is_required())
"""Columns that every table has; one that was begun earlier lacks some of the others."""
MAY_BE_NONE = ("training_seed", "map50", "map50_95", "map50_small")


class Chosen(BaseModel):
    """An image that was chosen: name, content digest, bytes, weight and reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    image_id: str
    size_bytes: int
    weight: float | None
    reason: str


class Selected(BaseModel):
    """What an arm chose of a pool, in the order of the choice.

    Args:
        inputs: Digest of the settings that it was chosen with.
        set: Name of the set.
        seed: Seed of the pool.
        arm: Label of the arm.
        draw: Number of the draw.
        budget: Name of the budget.
        selection: Digest of the chosen images, as in rows.
        images: The images.
        recipe: Name of the form in which they were sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: str
    set: str
    seed: int
    arm: str
    draw: int
    budget: str
    selection: str
    images: tuple[Chosen, ...]
    recipe: str = ORIGINAL


class Table:
    """Rows and selections of a study, in its folder; threads may append to it.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._rows = Lines(folder / "rows.csv")
        self._selections = Lines(folder / "selections.jsonl")
        self._lock = Lock()

    def rows(self) -> tuple[Row, ...]:
        """Return all rows, those of other settings too.

        Raises:
            InputError: If the file is none of ours, with the line.
        """
        lines = self._rows.read()
        columns = _columns_of(lines)
        if not set(FIRST_COLUMNS) <= set(columns) <= set(COLUMNS):
            raise InputError(f"{self._rows.path}:1: expected the columns {', '.join(COLUMNS)}")
        numbered = enumerate(lines[1:], start=2)
        return tuple(self._row(columns, number, line) for number, line in numbered)

    def _row(self, columns: Sequence[str], number: int, line: str) -> Row:
        try:
            values = next(csv.reader([line]), [])
        except csv.Error:  # a value of more than 128 KiB
            values = []
        if len(values) != len(columns):
            raise InputError(f"{self._rows.path}:{number}: expected {len(columns)} values")
        fields = dict(zip(columns, values, strict=True))
        given = {k: v for k, v in fields.items() if v or k not in MAY_BE_NONE}
        try:
            return Row.model_validate(dict.fromkeys(MAY_BE_NONE) | given)
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{self._rows.path}:{number}: {'.'.join(map(str, first['loc']))}"
            raise InputError(f"{where}: {one_line(first['msg'])}") from None

    def append(self, row: Row) -> None:
        """Add a row."""
        with self._lock:
            lines = self._rows.read()
            if not lines:
                self._rows.append(_line(COLUMNS))
            elif _columns_of(lines) != COLUMNS:  # begun before there were some of them
                known = [_line(each.model_dump().values()) for each in self.rows()]
                self._rows.write([_line(COLUMNS), *known])
            self._rows.append(_line(row.model_dump().values()))

    def note_selection(self, selection: Selected) -> None:
        """Add what an arm chose, unless it is there.

        Raises:
            InputError: If the file is none of ours, with the line.
        """
        with self._lock:
            if selection.inputs not in self._noted:
                self._selections.append(selection.model_dump_json())
                self._noted.add(selection.inputs)

    @cached_property
    def _noted(self) -> set[str]:
        lines = self._selections.read()
        return {self._inputs(number, line) for number, line in enumerate(lines, start=1)}

    def _inputs(self, number: int, line: str) -> str:
        try:
            return str(json.loads(line)["inputs"])
        except (ValueError, TypeError, LookupError, RecursionError):
            place = f"{self._selections.path}:{number}"
            raise InputError(f"{place}: expected a choice of images, as JSON") from None


def _columns_of(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table, by its first line; those of a new one if it has none."""
    return tuple(next(csv.reader(lines[:1]), COLUMNS))


def _line(values: Iterable[Any]) -> str:
    target = io.StringIO()
    csv.writer(target, lineterminator="").writerow(["" if v is None else v for v in values])
    return target.getvalue()

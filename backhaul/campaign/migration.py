"""Convert records and results of earlier versions to the current schema when they are read.

They are not written again: an earlier version may still run beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from backhaul.errors import DamagedRecordError, InputError
from backhaul.untrusted import one_line

SCHEMA = "schema"
"""The key under which a record says by which definition it was written."""

Step: TypeAlias = Callable[[Any], Any]

STEPS: dict[tuple[str, int], Step] = {}
"""By type and schema of a record or result: what converts its data to the next schema."""


def converted(kind: str, number: int, schema: int, data: Any) -> Any:
    """Return stored data, converted to the current schema.

    Args:
        kind: Type of the record or result.
        number: Schema by which it was written, from 1 to `schema`.
        schema: Number of today's definition of it.
        data: What was stored, as JSON gives it.
    """
    for earlier in range(number, schema):
        data = STEPS[kind, earlier](data)
    return data


def up_to_date(kind: str, schema: int, record: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the fields of a record, converted to the current schema.

    Args:
        kind: Type of the record.
        schema: Number of today's definition of it.
        record: What was read.
        place: Where it was read, for errors.

    Raises:
        DamagedRecordError: If it does not say its schema.
        InputError: If it says one that is newer than ours.
    """
    number = record.get(SCHEMA)
    if not isinstance(number, int) or number < 1:
        raise DamagedRecordError(
            f"{place}: {SCHEMA}: expected a number from 1 on, got {one_line(repr(number))}"
        )
    if number > schema:
        raise InputError(
            f"{place}: written by a newer version of Backhaul ({kind}, schema {number}; this "
            f"one knows them up to {schema}): expected at least that version here, too"
        )
    stored = {key: value for key, value in record.items() if key != SCHEMA}
    fields: dict[str, Any] = converted(kind, number, schema, stored)
    return fields

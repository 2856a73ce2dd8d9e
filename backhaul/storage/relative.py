"""Paths in tables: relative to the store when stored, absolute when read."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from backhaul.layout import INTERNAL

STORE = "store:"
"""What a stored place in the store begins with, in place of the store's root."""

COLUMNS = ("uri", "file", "source")
"""Columns of tables that hold places."""


def with_relative_places(table: pa.Table, root: str) -> pa.Table:
    """Return a table whose paths below an absolute `root` are relative; others stay."""
    return _with_prefix(table, f"{root}/", STORE)


def with_absolute_places(table: pa.Table, root: str) -> pa.Table:
    """Return a stored table with absolute paths, for a store whose root is `root`."""
    return _with_prefix(table, STORE, f"{root}/")


def root_of(uri: str) -> str:
    """Return the root of the store that contains an object; empty if none does."""
    return uri.rpartition(f"/{INTERNAL}/objects/")[0]


def _with_prefix(table: pa.Table, old: str, new: str) -> pa.Table:
    for name in COLUMNS:
        place = table.schema.get_field_index(name)
        if place < 0 or not _is_text(table.schema.field(place).type):
            continue
        column = table.column(place)
        changed = pc.utf8_replace_slice(column, 0, len(old), new)
        column = pc.if_else(pc.starts_with(column, old), changed, column)
        table = table.set_column(place, table.schema.field(place), column)
    return table


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
